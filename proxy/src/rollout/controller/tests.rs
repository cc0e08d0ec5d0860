use std::fs;

use modegate_config::Config;
use modegate_filters::bucket::Share;
use modegate_filters::decide::Flags;
use modegate_filters::rollout::decide::Verb;
use modegate_filters::rollout::observe::SignalVerdict;
use modegate_filters::rollout::totals::Totals;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::flags::{DocumentFile, Settings};

struct World {
    dir: TempDir,
    store: Arc<Store>,
    settings: Rollout,
}

/// A rollout of two stages: nobody, then everybody.
fn world() -> World {
    let dir = tempdir().unwrap();
    let path = dir.path().display();
    let text = format!(
        "[rollout]\nenabled = true\nstate_dir = \"{path}/state\"\nkill_file = \"{path}/kill\"\n\
         [rollout.timing]\nsettle = \"0s\"\ncool_down = \"0s\"\n\
         [[rollout.stage]]\nname = \"watch\"\nstep = \"observability\"\ncontract = true\n\
         runtime = true\ngates = [\"parity\"]\n\
         [[rollout.stage]]\nname = \"all\"\nstep = \"expansion\"\ncontract = true\n\
         runtime = true\npercent = 100.0\ngates = [\"parity\"]\napproval = \"manual\"\n\
         [[listener]]\nleg = \"frontend\"\nbind = \"127.0.0.1:0\"\nupstream = \"http://127.0.0.1:1\"\n\
         [[listener]]\nleg = \"bridge\"\nbind = \"127.0.0.1:0\"\nupstream = \"http://127.0.0.1:2\"\n"
    );
    let config = Config::parse(&text).unwrap_or_else(|report| panic!("{report}"));
    let settings = Settings::new(&config);
    let store = Store::new(settings, config.flags.clone(), Default::default()).unwrap();
    World { dir, store: Arc::new(store), settings: config.rollout }
}

impl World {
    fn open(&self) -> Arc<Controller> {
        Controller::new(&self.settings, Some(self.store.clone()))
    }

    fn sampled(&self) -> Sampled {
        let instance = Instance {
            name: "self".to_owned(),
            up: true,
            generation: self.store.document_generation(),
            breaker: None,
            overridden: false,
        };
        let sample = Sample { instance, totals: Totals::default(), began: None };
        Sampled { samples: vec![sample], age: Some(0), late: 0, exemplars: Vec::new() }
    }

    fn flags(&self) -> Flags {
        self.store.snapshot().flags
    }

    fn document(&self) -> Option<Document> {
        DocumentFile::new(self.settings.document.clone()).read().unwrap()
    }
}

fn order(controller: &Controller, verb: Verb) -> Result<Value, OrderError> {
    let (actor, reason) = ("ann".to_owned(), "a test".to_owned());
    controller.order(Command { verb, actor, reason })
}

/// Started, and by hand in the stage where everybody is exposed.
fn exposed(world: &World) -> Arc<Controller> {
    let controller = world.open();
    order(&controller, Verb::Start).unwrap();
    // Applied, settled, looked at.
    for _ in 0..3 {
        controller.step(Some(world.sampled()), Vec::new()).unwrap();
    }
    order(&controller, Verb::Advance).unwrap();
    assert_eq!(
        world.store.snapshot().settings.policy.canary().share,
        Share::from_percent(100.0).unwrap()
    );
    controller
}

#[test]
fn a_draft_says_nothing_of_the_flags() {
    let world = world();
    let controller = world.open();
    controller.step(Some(world.sampled()), Vec::new()).unwrap();
    assert_eq!(controller.view()["phase"], "draft");
    assert_eq!(world.document(), None);
    assert_eq!(world.flags(), Flags::default());
}

#[test]
fn an_order_is_in_force_when_it_is_answered() {
    let world = world();
    let controller = exposed(&world);
    assert!(world.flags().runtime);
    let before = world.document().unwrap().generation;
    let view = order(&controller, Verb::Rollback { hard: false }).unwrap();
    assert_eq!(view["phase"], "rolling_back");
    assert!(!world.flags().runtime && world.flags().contract);
    let document = world.document().unwrap();
    assert_eq!((document.generation, document.share), (before + 1, Some(Share::NONE)));
    order(&controller, Verb::Rollback { hard: true }).unwrap();
    assert!(world.flags().kill);
}

#[test]
fn what_is_out_of_place_is_refused_with_a_reason() {
    let world = world();
    let controller = world.open();
    let refused = order(&controller, Verb::Resume).unwrap_err();
    assert_eq!(refused, OrderError::Refused("it is draft".to_owned()));
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let world = world();
    let controller = exposed(&world);
    let (view, document) = (controller.view(), world.document());
    drop(controller);
    let again = world.open();
    for key in ["phase", "stage", "desired", "looks"] {
        assert_eq!(again.view()[key], view[key], "{key}");
    }
    assert_eq!(world.document(), document);
}

#[test]
fn the_kill_file_is_a_hard_rollback() {
    let world = world();
    let controller = exposed(&world);
    assert!(!controller.is_kill_due());
    fs::write(world.dir.path().join("kill"), "").unwrap();
    assert!(controller.is_kill_due());
    controller.step(None, Vec::new()).unwrap();
    assert!(world.flags().kill && !controller.is_kill_due());
    let incidents = controller.incidents().list().unwrap();
    assert_eq!(incidents[0]["trigger"], "kill_file");
    let id = incidents[0]["id"].as_str().unwrap();
    let report = controller.incidents().read(&format!("{id}.md")).unwrap().unwrap();
    assert!(report.starts_with("# kill_file in stage all"), "{report}");
}

#[test]
fn a_look_that_was_asked_for_before_an_order_confirms_nothing_of_it() {
    let world = world();
    let controller = exposed(&world);
    order(&controller, Verb::Rollback { hard: false }).unwrap();
    for (late, phase) in [(2_000, "rolling_back"), (0, "rolled_back")] {
        // Two looks that see nothing in fast mode confirm a rollback.
        for _ in 0..2 {
            let sampled = Sampled { late, ..world.sampled() };
            controller.step(Some(sampled), Vec::new()).unwrap();
        }
        assert_eq!(controller.view()["phase"], phase, "{late} ms late");
    }
}

fn signal(verdict: SignalVerdict) -> Signal {
    let (source, reason) = ("reviewers".to_owned(), "read".to_owned());
    let expires = (verdict == SignalVerdict::Attested).then(|| now() + 60_000);
    Signal { verdict, source, reason, evidence: None, expires }
}

#[test]
fn a_signal_is_in_force_when_it_is_answered() {
    let world = world();
    let controller = exposed(&world);
    let attested = controller.signal(signal(SignalVerdict::Attested)).unwrap();
    assert_eq!((&attested["phase"], world.flags().runtime), (&"applying".into(), true));
    assert_eq!(attested["attestation"]["source"], "reviewers");
    let severe = controller.signal(signal(SignalVerdict::Severe)).unwrap();
    assert_eq!((&severe["phase"], world.flags().runtime), (&"rolling_back".into(), false));
    assert_eq!(controller.incidents().list().unwrap()[0]["trigger"], "severe");
    assert_eq!(severe["incident"], controller.incidents().list().unwrap()[0]["id"]);
}

#[test]
fn an_incident_is_written_again_with_the_requests_that_show_it() {
    let world = world();
    let controller = exposed(&world);
    assert!(controller.unshown().is_none());
    order(&controller, Verb::Rollback { hard: false }).unwrap();
    let Unshown { incident, since, instances } = controller.unshown().unwrap();
    assert_eq!(instances[0].name, "self");
    let exemplar = Exemplar {
        at: since,
        leg: "bridge".to_owned(),
        what: "mode_missing".to_owned(),
        expected: "fast".to_owned(),
        found: "none".to_owned(),
        request_id: "here".to_owned(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
    };
    controller.show(Shown { incident: incident.clone(), exemplars: vec![exemplar.clone()] });
    assert!(controller.unshown().is_none());
    let read = |kind: &str| controller.incidents().read(&format!("{incident}.{kind}")).unwrap();
    let written: Incident = serde_json::from_str(&read("json").unwrap()).unwrap();
    assert_eq!(written.exemplars, [exemplar]);
    assert!(read("md").unwrap().contains("| here | 0af7651916cd43dd8448eb211c80319c |"));
}

#[test]
fn exposure_is_taken_away_though_nothing_can_be_written() {
    let world = world();
    let controller = exposed(&world);
    // A directory in the place of the state's next file, and of the document's.
    fs::remove_file(&world.settings.document).unwrap();
    fs::create_dir(&world.settings.document).unwrap();
    order(&controller, Verb::Rollback { hard: false }).unwrap();
    assert!(!world.flags().runtime);
    let served = controller.document().unwrap().unwrap();
    assert_eq!(served.flags.get(modegate_config::Flag::Runtime), Some(false));
    assert!(controller.reading().is_faulty);
    assert!(controller.view()["fault"].as_str().unwrap().contains("flags.json"));
    fs::remove_dir(&world.settings.document).unwrap();
    controller.step(None, Vec::new()).unwrap();
    assert!(!controller.reading().is_faulty);
    assert!(!world.document().unwrap().flags.get(modegate_config::Flag::Runtime).unwrap());
}

#[test]
fn a_document_that_nobody_can_read_is_written_over() {
    let world = world();
    let controller = exposed(&world);
    fs::write(&world.settings.document, "{").unwrap();
    order(&controller, Verb::Rollback { hard: true }).unwrap();
    assert!(world.document().unwrap().flags.get(modegate_config::Flag::Kill).unwrap());
}

#[test]
fn a_second_process_follows_until_the_first_one_leaves() {
    let world = world();
    let first = exposed(&world);
    let config_store = self::world().store;
    let second = Controller::new(&world.settings, Some(config_store.clone()));
    assert!(config_store.snapshot().flags.runtime, "the document is in force there too");
    assert!(!second.open());
    assert!(matches!(order(&second, Verb::Hold), Err(OrderError::Failed(_))));
    order(&first, Verb::Rollback { hard: false }).unwrap();
    second.follow();
    assert!(!config_store.snapshot().flags.runtime);
    first.close();
    assert!(second.open());
    assert_eq!(second.view()["phase"], "rolling_back");
}

#[test]
fn with_another_salt_nobody_is_exposed_and_nothing_goes_on() {
    for hard in [false, true] {
        let world = world();
        let controller = exposed(&world);
        if hard {
            order(&controller, Verb::Rollback { hard }).unwrap();
        }
        drop(controller);
        let (before, store) = (world.document(), self::world().store);
        let settings = Rollout { salt: "another".to_owned(), ..world.settings.clone() };
        let controller = Controller::new(&settings, Some(store.clone()));
        let snapshot = store.snapshot();
        let expected = Flags { contract: true, kill: hard, ..Flags::default() };
        assert_eq!(snapshot.flags, expected, "hard: {hard}");
        assert_eq!(snapshot.settings.policy.canary().share, Share::NONE);
        let fault = controller.view()["fault"].as_str().unwrap().to_owned();
        assert!(fault.contains("with canary.salt \"another\": a new rollout needs"), "{fault}");
        for verb in [Verb::Resume, Verb::Start, Verb::Advance] {
            assert!(matches!(order(&controller, verb), Err(OrderError::Failed(_))), "{verb:?}");
        }
        assert!(controller.reading().is_faulty);
        let served = controller.document().unwrap().unwrap();
        let flag = |flag| served.flags.get(flag);
        assert_eq!(flag(modegate_config::Flag::Runtime), Some(false));
        assert_eq!(flag(modegate_config::Flag::Kill), Some(hard));
        assert_eq!(world.document(), before, "nothing was written");
        drop(controller);
        let store = self::world().store;
        let again = Controller::new(&world.settings, Some(store.clone()));
        let phase = if hard { "rolling_back" } else { "applying" };
        assert_eq!(
            (&again.view()["phase"], store.snapshot().flags.runtime),
            (&phase.into(), !hard)
        );
    }
}
