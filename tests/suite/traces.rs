//! Spans as a collector receives them: what is in them, whose children they are, which requests
//! have one.

use crate::control_process::{CANARY, FAST, ROUTE};
use crate::harness::{
    Answer, Client, Collector, Exported, Modegate, Origin, Otlp, Request, Start, attribute,
    listener, settings,
};

const ON: &str = "[flags]\ncontract = true\nruntime = true\n[profiles.fast-v1]\nmode = \"fast\"\n";
const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const PROFILED: &str =
    r#"{"text":"a secret text","processing":{"mode":"fast","profile":"fast-v1"}}"#;

/// `[traces]` for a collector that is told at once.
fn traces(collector: &Collector, otlp: Otlp, sample: &str) -> String {
    let (url, word) = (collector.url(), otlp.word());
    format!(
        "[traces]\nendpoint = \"{url}\"\nprotocol = \"{word}\"\nsample = {sample}\n\
         interval = \"20ms\"\nservice_name = \"gate\"\n"
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A `traceparent`'s trace, span and flags.
fn parts(traceparent: &str) -> (&str, &str, &str) {
    let mut fields = traceparent.split('-').skip(1);
    let mut next = || fields.next().expect("a field");
    (next(), next(), next())
}

fn assert_attributes(span: &Exported, expected: &[(&str, Option<&str>)]) {
    for (key, value) in expected {
        assert_eq!(span.attribute(key).as_deref(), *value, "{key} of {span:#?}");
    }
}

#[tokio::test]
async fn a_message_is_a_span_with_all_that_was_decided() {
    for otlp in [Otlp::Http, Otlp::Grpc] {
        let (collector, origin) = (Collector::start(otlp).await, Origin::echo().await);
        let extra = format!("{ON}{CANARY}{}", traces(&collector, otlp, "0"));
        let modegate = Modegate::start(&settings(&origin, &extra)).await;
        let request = Request::post(ROUTE, PROFILED)
            .header("traceparent", CALLER)
            .header("x-request-id", "request-1");
        assert_eq!(Client::once(modegate.frontend(), request).await.status, 200);
        let sent = origin.last().header("traceparent").expect("a trace").to_owned();
        let line = modegate.access(1).await.remove(0);

        let exported = collector.wait_for(1).await.remove(0);
        let span = &exported.span;
        assert_eq!(
            (exported.scope.as_str(), span.name.as_str()),
            ("modegate", line["route"].as_str().unwrap())
        );
        assert_eq!(hex(&span.trace_id), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(hex(&span.parent_span_id), "b7ad6b7169203331");
        assert_eq!(parts(&sent), (&*hex(&span.trace_id), &*hex(&span.span_id), "01"));
        let server = opentelemetry_proto::tonic::trace::v1::span::SpanKind::Server;
        assert_eq!((span.kind, span.status.clone().unwrap_or_default().code), (server as i32, 0));
        let micros = (span.end_time_unix_nano - span.start_time_unix_nano) / 1000;
        assert_eq!(Some(micros), line["total_us"].as_u64());
        assert_attributes(
            &exported,
            &[
                ("modegate.leg", Some("frontend")),
                ("modegate.mode", Some("fast")),
                ("modegate.requested", Some("fast")),
                ("modegate.profile", Some("fast-v1")),
                ("modegate.cohort", Some("canary")),
                ("modegate.room", line["room"].as_str()),
                ("modegate.action", Some("pass")),
                ("modegate.outcome", Some("ok")),
                ("modegate.request_id", Some("request-1")),
                ("http.request.method", Some("POST")),
                ("http.route", line["route"].as_str()),
                ("http.response.status_code", Some("200")),
                ("feature_flag.key", Some("fast-mode")),
                ("feature_flag.provider.name", Some("modegate")),
                ("feature_flag.result.variant", Some("canary")),
                ("feature_flag.result.reason", Some("split")),
                ("feature_flag.version", Some("1")),
                ("error.type", None),
                ("modegate.reason", None),
            ],
        );
        let [event] = span.events.as_slice() else { panic!("{:#?}", span.events) };
        assert_eq!(event.name, "feature_flag.evaluation");
        assert_eq!(event.attributes.len(), 5);
        for attribute in &event.attributes {
            assert!(span.attributes.contains(attribute), "{attribute:?}");
        }
        let resource = |key| attribute(&exported.resource, key);
        assert_eq!(resource("service.name").as_deref(), Some("gate"));
        assert_eq!(resource("service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));

        // The room of c1, and the text.
        let room = origin.last().header("x-processing-room").expect("a room").to_owned();
        for export in collector.exports() {
            for secret in [room.as_str(), "a secret text"] {
                let found = export.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
                assert!(!found, "{secret} was exported");
            }
        }
        let counted = [("result", "exported")];
        modegate.counted("modegate_trace_spans_total", &counted, 1.0).await;
    }
}

#[tokio::test]
async fn each_leg_is_the_child_of_the_one_before() {
    let (collector, origin) = (Collector::start(Otlp::Http).await, Origin::echo().await);
    let extra = format!("{ON}{CANARY}{}", traces(&collector, Otlp::Http, "1"));
    let modegate = Modegate::start(&settings(&origin, &extra)).await;
    let rpc = r#"{"jsonrpc":"2.0","id":"1","method":"message.send","params":{"text":"hi","roomId":"r","processing":{"mode":"fast"}}}"#;
    let legs = [
        (modegate.frontend(), ROUTE, FAST),
        (modegate.bridge(), "/api/v1/milady/agents/a/bridge", rpc),
        (modegate.runtime(), "/bridge", rpc),
    ];
    let mut before: Option<String> = None;
    for (leg, target, body) in legs {
        let mut request = Request::post(target, body);
        if let Some(traceparent) = &before {
            request = request.header("traceparent", traceparent);
        }
        assert_eq!(Client::once(leg, request).await.status, 200);
        before = origin.last().header("traceparent").map(str::to_owned);
    }
    let mut spans = collector.wait_for(3).await;
    spans.sort_by_key(|span| span.span.start_time_unix_nano);
    let legs: Vec<_> = spans.iter().filter_map(|span| span.attribute("modegate.leg")).collect();
    assert_eq!(legs, ["frontend", "bridge", "runtime"]);
    assert_eq!(spans[0].span.parent_span_id, Vec::<u8>::new());
    for pair in spans.windows(2) {
        assert_eq!(pair[0].span.trace_id, pair[1].span.trace_id);
        assert_eq!(pair[0].span.span_id, pair[1].span.parent_span_id);
    }
    let last = before.expect("a trace");
    let expected = (hex(&spans[2].span.trace_id), hex(&spans[2].span.span_id));
    assert_eq!(parts(&last), (&*expected.0, &*expected.1, "01"));
}

#[tokio::test]
async fn new_traces_are_sampled_by_share_and_the_callers_word_is_kept() {
    // The share, the caller's traceparent, and whether there is a span.
    let unsampled = CALLER.replace("-01", "-00");
    let cases = [
        ("0", None, false),
        ("0.0", Some(CALLER), true),
        ("0", Some(unsampled.as_str()), false),
        ("1", None, true),
        ("1.0", Some(unsampled.as_str()), false),
        ("1", Some("00-broken"), true),
    ];
    for (share, caller, sampled) in cases {
        let (collector, origin) = (Collector::start(Otlp::Http).await, Origin::echo().await);
        let config = settings(&origin, &traces(&collector, Otlp::Http, share));
        let mut modegate = Modegate::start(&config).await;
        let mut request = Request::post(ROUTE, FAST);
        if let Some(caller) = caller {
            request = request.header("traceparent", caller);
        }
        assert_eq!(Client::once(modegate.frontend(), request).await.status, 200);
        let sent = origin.last().header("traceparent").expect("a trace").to_owned();
        let flag = if sampled { "01" } else { "00" };
        assert_eq!(parts(&sent).2, flag, "{share} {caller:?}");
        // Leaving sends what there is.
        assert_eq!(modegate.terminate().await, Some(0));
        let spans = collector.spans();
        assert_eq!(spans.len(), usize::from(sampled), "{share} {caller:?}: {spans:#?}");
    }
}

#[tokio::test]
async fn a_flags_reason_says_how_the_cohort_came_about() {
    let allow = "[canary]\nallow = [\"r\"]\n";
    let deny = "[canary]\npercent = 100\ndeny = [\"r\"]\n";
    // Flags and canary, the room, and what is said.
    let cases = [
        (ON, allow, r#","roomId":"r""#, "canary", "targeting_match"),
        (ON, deny, r#","roomId":"r""#, "control", "targeting_match"),
        (ON, CANARY, r#","roomId":"r""#, "canary", "split"),
        (ON, "", r#","roomId":"r""#, "control", "split"),
        (ON, CANARY, "", "control", "default"),
        ("[flags]\ncontract = true\n", CANARY, r#","roomId":"r""#, "canary", "disabled"),
        ("", CANARY, r#","roomId":"r""#, "canary", "disabled"),
    ];
    for (flags, canary, room, variant, reason) in cases {
        let (collector, origin) = (Collector::start(Otlp::Http).await, Origin::echo().await);
        let traces = traces(&collector, Otlp::Http, "1");
        let upstream = listener("runtime", &origin.url());
        let modegate = Modegate::start(&format!("{flags}{canary}{traces}{upstream}")).await;
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"message.send","params":{{"text":"hi"{room},"processing":{{"mode":"fast"}}}}}}"#
        );
        Client::once(modegate.runtime(), Request::post("/bridge", body)).await;
        let span = collector.wait_for(1).await.remove(0);
        assert_attributes(
            &span,
            &[
                ("feature_flag.result.variant", Some(variant)),
                ("feature_flag.result.reason", Some(reason)),
            ],
        );
    }
}

#[tokio::test]
async fn what_is_not_inspected_or_goes_wrong_has_its_span_too() {
    let collector = Collector::start(Otlp::Http).await;
    let origin = Origin::start(|received| match received.target() {
        "/broken" => Answer::status("500 Broken", "", ""),
        "/gone" => Answer::ThenClose(Vec::new()),
        _ => Answer::status("404 Not Found", "", ""),
    })
    .await;
    let extra = format!("{ON}{}", traces(&collector, Otlp::Http, "1"));
    let modegate = Modegate::start(&settings(&origin, &extra)).await;
    // The request, its span's name, and of the span: status, outcome, reason and error.
    type Case<'c> = (Request, &'c str, [Option<&'c str>; 4]);
    let fault = Some("unreachable");
    let cases: [Case<'_>; 5] = [
        (Request::get("/missing"), "GET", [Some("404"), Some("client_error"), None, None]),
        (
            Request::get("/broken"),
            "GET",
            [Some("500"), Some("server_error"), None, Some("server_error")],
        ),
        (Request::get("/gone"), "GET", [Some("502"), Some("unavailable"), fault, fault]),
        (Request::new("BREW", "/pot"), "HTTP", [Some("404"), Some("client_error"), None, None]),
        (
            Request::post(ROUTE, "no json"),
            "/api/conversations/:id/messages",
            [Some("400"), Some("refused"), Some("not_json"), None],
        ),
    ];
    for (at, (request, name, [status, outcome, reason, error])) in cases.into_iter().enumerate() {
        Client::once(modegate.frontend(), request).await;
        let span = collector.wait_for(at + 1).await.remove(at);
        assert_eq!(span.span.name, name);
        let code = span.span.status.clone().unwrap_or_default().code;
        assert_eq!(code, if error.is_some() { 2 } else { 0 }, "{name} {span:#?}");
        let brewed = if name == "HTTP" { "_OTHER" } else { name };
        let method = if name.starts_with('/') { "POST" } else { brewed };
        assert_attributes(
            &span,
            &[
                ("http.response.status_code", status),
                ("modegate.outcome", outcome),
                ("modegate.reason", reason),
                ("error.type", error),
                ("http.request.method", Some(method)),
                ("http.route", Some(name).filter(|name| name.starts_with('/'))),
                ("feature_flag.key", None),
                ("modegate.cohort", None),
            ],
        );
        assert!(span.span.events.is_empty());
    }
}

#[tokio::test]
async fn off_there_is_nothing_but_the_series() {
    let origin = Origin::echo().await;
    let modegate = Modegate::start(&settings(&origin, "[traces]\nsample = 1.0\n")).await;
    for (caller, flag) in [(None, "00"), (Some(CALLER), "01")] {
        let mut request = Request::post(ROUTE, FAST);
        if let Some(caller) = caller {
            request = request.header("traceparent", caller);
        }
        assert_eq!(Client::once(modegate.frontend(), request).await.status, 200);
        let sent = origin.last().header("traceparent").expect("a trace").to_owned();
        assert_eq!(parts(&sent).2, flag);
    }
    let metrics = modegate.metrics().await;
    for result in ["exported", "dropped", "failed"] {
        let spans = metrics.sum("modegate_trace_spans_total", &[("result", result)]);
        assert!(spans.abs() < 0.5, "{result}: {spans}");
    }
}

#[tokio::test]
async fn a_wrong_endpoint_is_named_at_the_start() {
    let origin = Origin::echo().await;
    let config = settings(&origin, "[traces]\nendpoint = \"https://collector:4318\"\n");
    let ended = Start::new(&config).fails().await;
    assert_eq!(ended.code, Some(2));
    for said in ["traces.endpoint (line 2)", "another scheme", "\"http://host:port\""] {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}
