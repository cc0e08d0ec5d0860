//! RFC 9113 and RFC 7541, case by case, after the list of h2spec: what a frame may be answered
//! with. Where the library that we are made of answers in another way, the case says so, and why
//! that is good enough (case 62).

mod fields;
mod frames;
mod generic;
mod streams;

use std::collections::HashSet;

use crate::harness::{Ended, Frame, H2, Modegate, Origin, clear, frame, get, hpack, post};

/// What a case must end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Must {
    /// An error of the connection, with one of these codes where it says one.
    Connection(&'static [u32]),
    /// An error of the first stream, with one of these codes, or a refusal.
    Stream(&'static [u32]),
    /// One or the other.
    Either(&'static [u32]),
    /// An answer on the first stream.
    Answer,
    /// Nothing: the connection goes on.
    GoOn,
}
use Must::{Answer, Connection, Either, GoOn, Stream};

/// A case: the section it is of, what is sent after preface and settings, what must come of it.
struct Case {
    name: &'static str,
    sends: fn() -> Vec<Frame>,
    must: Must,
    /// What comes instead, and why that is allowed.
    instead: Option<(Must, &'static str)>,
}

const fn case(name: &'static str, must: Must, sends: fn() -> Vec<Frame>) -> Case {
    Case { name, sends, must, instead: None }
}

impl Case {
    const fn but(self, instead: Must, why: &'static str) -> Case {
        Case { instead: Some((instead, why)), ..self }
    }
}

const PROTOCOL: &[u32] = &[frame::PROTOCOL_ERROR];
const FLOW: &[u32] = &[frame::FLOW_CONTROL_ERROR];
const SIZE: &[u32] = &[frame::FRAME_SIZE_ERROR];
const CLOSED: &[u32] = &[frame::STREAM_CLOSED];
const CODING: &[u32] = &[frame::COMPRESSION_ERROR];

/// A GET that is all there.
fn ask(stream: u32) -> Frame {
    Frame::headers(stream, hpack::block(&get("/other")), frame::END_STREAM)
}

/// A POST whose body is still to come.
fn begin(stream: u32) -> Frame {
    Frame::headers(stream, hpack::block(&post("/upload")), 0)
}

/// The start of a head that is not all there.
fn half(stream: u32, end: u8) -> Frame {
    Frame::new(frame::HEADERS, end, stream, hpack::block(&get("/other")))
}

/// What became of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Gone(Option<u32>),
    Reset(u32),
    Refused(u16),
    Answered,
    WentOn,
}

impl Must {
    fn allows(self, came: Came) -> bool {
        match (self, came) {
            (Connection(codes) | Either(codes), Came::Gone(Some(code))) => codes.contains(&code),
            (Connection(_) | Either(_), Came::Gone(None)) => true,
            (Stream(codes) | Either(codes), Came::Reset(code)) => codes.contains(&code),
            (Stream(_) | Either(_), Came::Refused(status)) => (400..=499).contains(&status),
            (Answer, Came::Answered) | (GoOn, Came::WentOn) => true,
            _ => false,
        }
    }
}

/// Plays a case and looks what comes, as long as it takes.
async fn play(modegate: &Modegate, case: &Case) -> Came {
    let mut h2 = H2::connect(modegate.frontend()).await;
    let frames = (case.sends)();
    let first = frames.iter().map(|frame| frame.stream).find(|stream| *stream != 0).unwrap_or(1);
    h2.write(frames.iter().flat_map(Frame::bytes).collect::<Vec<u8>>()).await;
    let must = case.instead.map_or(case.must, |(instead, _)| instead);
    if must == GoOn {
        if h2.ping().await.is_none() || h2.ping().await.is_none() {
            return Came::Gone(h2.ended().await);
        }
        return match h2.so_far(first).ended {
            Ended::Reset(code) => Came::Reset(code),
            _ => Came::WentOn,
        };
    }
    if matches!(must, Connection(_)) {
        // A connection that goes on would be waited for in vain.
        if h2.ping().await.is_some() && h2.ping().await.is_some() {
            return Came::WentOn;
        }
        return Came::Gone(h2.closed().await);
    }
    let answered = h2.answer(first).await;
    match (answered.ended, answered.status) {
        (Ended::Connection(code), _) => Came::Gone(code),
        (Ended::Reset(code), _) => Came::Reset(code),
        (_, 200..=299) => Came::Answered,
        (_, status) => Came::Refused(status),
    }
}

async fn check(cases: &[Case]) {
    let origin = Origin::echo().await;
    let modegate = clear(&origin.url(), "").await;
    let (mut faults, mut names) = (Vec::new(), HashSet::new());
    for case in cases {
        assert!(names.insert(case.name), "{} twice", case.name);
        let came = play(&modegate, case).await;
        let (must, why) = case.instead.unwrap_or((case.must, ""));
        if !must.allows(came) && !case.must.allows(came) {
            faults.push(format!("{}: {came:?}, not {must:?} {why}", case.name));
        }
        // One of two that only the moment tells apart is no deviation that is gone.
        let was_fixed = case
            .instead
            .is_some_and(|(instead, _)| case.must.allows(came) && !instead.allows(came));
        if was_fixed {
            faults.push(format!("{}: it does as it should now", case.name));
        }
        let mut h2 = H2::connect(modegate.frontend()).await;
        let answered = h2.exchange(&post("/api/chat"), "{}").await;
        assert_eq!((answered.status, answered.ended), (200, Ended::Clean), "after {}", case.name);
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
