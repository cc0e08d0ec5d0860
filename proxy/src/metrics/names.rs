//! Every metric's name, label keys and help, in one place.
//!
//! Rules: `modegate_<subject>_<unit>_total`, base units, label values from enums or from the
//! configuration's short lists only. prometheus-client appends `_total` to counters itself.

/// A metric family's name (without `_total`) and help.
pub type Name = (&'static str, &'static str);

/// Requests by leg, dialect, mode, requested mode, cohort and outcome.
pub const REQUESTS: Name = ("modegate_requests", "Requests, by how they ended");
/// Time to the first byte of the answer.
pub const FIRST_BYTE: Name =
    ("modegate_first_byte_seconds", "Seconds from a request's head to the answer's head");
/// Time to the end of the answer.
pub const REQUEST: Name =
    ("modegate_request_seconds", "Seconds from a request's head to the answer's end");
/// Refusals by leg and reason.
pub const REJECTIONS: Name = ("modegate_rejections", "Requests refused, by reason");
/// What was done with inspected bodies.
pub const ACTIONS: Name = ("modegate_actions", "Inspected requests, by what was done");
/// Requests for fast mode that fell back for want of a valid profile.
pub const PROFILE_FALLBACKS: Name = (
    "modegate_profile_fallbacks",
    "Requests downgraded for a profile that is not configured or not valid",
);
/// Inspected requests without a bucket key.
pub const NO_KEY: Name = ("modegate_bucket_key_missing", "Inspected requests without a bucket key");
/// The flags.
pub const FLAG: Name = ("modegate_flag", "A flag's value: 1 on, 0 off");
/// The flags' overrides.
pub const FLAG_OVERRIDE: Name = ("modegate_flag_override", "Whether a flag is overridden by hand");
/// The snapshot's generation.
pub const GENERATION: Name =
    ("modegate_snapshot_generation", "The number of the flags snapshot in force");
/// The share of keys that are canary.
pub const SHARE: Name =
    ("modegate_canary_share_ppm", "The share of keys that are canary, in parts per million");
/// The documents' generations.
pub const DOCUMENT_GENERATION: Name = (
    "modegate_flags_document_generation",
    "The generation of the flags document in force, by where it is from; 0 for none",
);
/// Whether a document's place holds what cannot be taken over.
pub const LAYER_ERROR: Name = (
    "modegate_flags_layer_error",
    "1 while what a flags document's place holds is not taken over, or it cannot be reached",
);
/// Whether a lease is over.
pub const LEASE_OVER: Name =
    ("modegate_flags_lease_over", "1 while the lease of the flags document in force is over");
/// Whether the breaker is open.
pub const BREAKER_OPEN: Name =
    ("modegate_breaker_open", "1 while the breaker is open, by what opened it");
/// What opens the breaker, seen.
pub const BREAKER_TRIPS: Name =
    ("modegate_breaker_trips", "Times that something was seen that opens the breaker, by cause");
/// Requests in flight.
pub const INFLIGHT: Name = ("modegate_inflight", "Requests in flight");
/// Client connections open.
pub const CONNECTIONS: Name = ("modegate_connections", "Client connections open");
/// How many client connections there may be.
pub const CONNECTIONS_LIMIT: Name = (
    "modegate_connections_limit",
    "Client connections that may be open: limits.connections, or what the limit of open files is enough for",
);
/// Tunnels open after an upgrade.
pub const TUNNELS: Name = ("modegate_tunnels", "Upgraded connections open");
/// Bytes of request bodies held.
pub const BODY_MEMORY: Name = (
    "modegate_body_memory_bytes",
    "Bytes of request bodies held for inspection, and of answers that are looked into",
);
/// Connections opened to upstreams.
pub const UPSTREAM_CONNECTS: Name =
    ("modegate_upstream_connects", "Connections opened to upstreams, by result");
/// Requests sent on a pooled connection.
pub const UPSTREAM_REUSES: Name =
    ("modegate_upstream_reuses", "Requests sent on a pooled upstream connection");
/// Verdicts by leg.
pub const PARITY: Name = ("modegate_parity", "Verdicts on what one leg let through, by leg");
/// How requests were joined to what the leg before let through.
pub const PARITY_JOINS: Name =
    ("modegate_parity_joins", "Requests joined to the leg before, by what they were found by");
/// What enforcement did.
pub const PARITY_ENFORCED: Name =
    ("modegate_parity_enforced", "Mismatches refused or repaired, by what was done");
/// Records held.
pub const PARITY_RECORDS: Name =
    ("modegate_parity_records", "Records held of what a leg let through");
/// Bytes of records held.
pub const PARITY_BYTES: Name = ("modegate_parity_bytes", "Bytes of records held");
/// Records dropped.
pub const PARITY_DROPPED: Name =
    ("modegate_parity_dropped", "Records dropped before their time, by the bound that was reached");
/// Requests and answers of another room.
pub const CONTAMINATION: Name =
    ("modegate_contamination", "Requests and answers in another room than their record's");
/// Time to the first piece of a streamed answer.
pub const FIRST_EVENT: Name = (
    "modegate_first_event_seconds",
    "Seconds from a request's head to the first piece of its streamed answer",
);
/// Time between events.
pub const EVENT_GAP: Name =
    ("modegate_event_gap_seconds", "Seconds between two events of a streamed answer");
/// Streamed answers by ending.
pub const STREAMS: Name = ("modegate_streams", "Streamed answers, by style and how they ended");
/// Time of messages by the way that they took.
pub const PATH: Name = (
    "modegate_path_seconds",
    "Seconds from a message's head to its answer's end, by whether the cloud was asked for it",
);
/// Eligible requests by cohort and part.
pub const ROLLOUT_REQUESTS: Name = (
    "modegate_rollout_requests",
    "Requests that a rollout compares, by cohort and part: messages that asked for another mode while it could apply",
);
/// Their critical errors.
pub const ROLLOUT_ERRORS: Name = (
    "modegate_rollout_errors",
    "Of those, critical errors: 5xx, no answer, or none before an error",
);
/// Their first events.
pub const ROLLOUT_FIRSTS: Name = ("modegate_rollout_firsts", "Of those, first events");
/// The sum of the logarithms of the times to them.
pub const ROLLOUT_FIRST_LOG_SUM: Name = (
    "modegate_rollout_first_log_sum",
    "Sum over first events of 1000 times the natural logarithm of the microseconds to them",
);
/// The time to them.
pub const ROLLOUT_FIRST: Name = (
    "modegate_rollout_first_seconds",
    "Seconds from the head of a request that a rollout compares to its first event",
);
/// Their faults.
pub const ROLLOUT_FAULTS: Name = (
    "modegate_rollout_faults",
    "Answers with a fault that is no critical error, by cohort and fault",
);
/// Requests that left in another mode.
pub const ROLLOUT_FAST_LEFT: Name = (
    "modegate_rollout_fast_left",
    "Requests that left the frontend leg in another mode than the default, counted as they leave",
);
/// Where the rollout is.
pub const ROLLOUT_STATE: Name = (
    "modegate_rollout_state",
    "1 for the state that the rollout run here is in; all 0 where none is run here",
);
/// How often it got there.
pub const ROLLOUT_TRANSITIONS: Name =
    ("modegate_rollout_transitions", "Times that the rollout run here entered a state");
/// Its stage.
pub const ROLLOUT_STAGE: Name =
    ("modegate_rollout_stage", "The number of the rollout's stage, from 1; 0 before it is started");
/// Whether an incident is open.
pub const ROLLOUT_INCIDENT: Name =
    ("modegate_rollout_incident", "1 while an incident of the rollout is not known to be over");
/// Whether the controller cannot do all it should.
pub const ROLLOUT_FAULT: Name = (
    "modegate_rollout_fault",
    "1 while the rollout's state, audit, document or reports cannot be read or written",
);
/// What the gates say.
pub const ROLLOUT_GATE: Name =
    ("modegate_rollout_gate", "1 for what a gate said at the last look; all 0 where not asked");
/// What they saw.
pub const ROLLOUT_GATE_SAMPLES: Name =
    ("modegate_rollout_gate_samples", "The samples that a gate has seen in the stage");
/// How far they are from failing.
pub const ROLLOUT_GATE_LOG_E: Name = (
    "modegate_rollout_gate_log_e",
    "The natural logarithm of a gate's evidence for harm, over the rollout",
);
/// Spans of traces.
pub const TRACE_SPANS: Name = ("modegate_trace_spans", "Spans of sampled requests, by result");
/// Configuration loads.
pub const CONFIG_LOADS: Name = ("modegate_config_loads", "Configuration files read, by result");
/// Whether the file as it is was refused.
pub const CONFIG_ERROR: Name =
    ("modegate_config_error", "1 while the configuration file as it is now is refused");
/// The contract in force.
pub const CONTRACT: Name = (
    "modegate_contract_info",
    "1, with the fingerprint of the modes and profiles in force as a label",
);
/// Access lines dropped.
pub const LOG_DROPPED: Name =
    ("modegate_log_lines_dropped", "Log lines dropped because the writer fell behind");
/// When the process began.
pub const START_TIME: Name =
    ("modegate_start_time_seconds", "When the process began, in seconds since 1970");
/// The build.
pub const BUILD: Name = ("modegate_build_info", "1, with the version as a label");
