//! What is counted of answers: how streamed ones get on, and which way a message took.

use std::fmt::Error;
use std::sync::atomic::AtomicU64;

use modegate_filters::bucket::Cohort;
use modegate_filters::contract::{Mode, Modes, Requested};
use modegate_filters::route::Leg;
use modegate_filters::stream::{Ending, Style};
use prometheus_client::encoding::DescriptorEncoder;

use super::scrape::counters;
use super::{COHORTS, Histogram, Labels, cohort, names, read};

/// The way that a message of the frontend leg took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// The API server answered by itself.
    Local,
    /// The cloud was asked.
    Cloud,
}

impl Path {
    const ALL: [Path; 2] = [Path::Local, Path::Cloud];

    /// The word that logs and metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Path::Local => "local",
            Path::Cloud => "cloud",
        }
    }
}

/// The counts of answers.
#[derive(Debug)]
pub struct AnswerCounts {
    modes: Modes,
    first_event: Vec<Histogram>,
    event_gap: Vec<Histogram>,
    streams: Vec<AtomicU64>,
    paths: Vec<Histogram>,
}

impl AnswerCounts {
    /// All at zero.
    pub fn new(modes: Modes) -> AnswerCounts {
        let count = modes.iter().count();
        let timed = Leg::ALL.len() * count * COHORTS;
        let histograms = |n: usize| (0..n).map(|_| Histogram::new()).collect();
        let streams = timed * Style::ALL.len() * Ending::ALL.len();
        AnswerCounts {
            first_event: histograms(timed),
            event_gap: histograms(timed),
            streams: (0..streams).map(|_| AtomicU64::new(0)).collect(),
            paths: histograms(Path::ALL.len() * count),
            modes,
        }
    }

    /// The histogram of times to the first piece of a streamed answer.
    pub fn first_event(&self, labels: Labels) -> Option<&Histogram> {
        self.first_event.get(self.timed(labels))
    }

    /// The histogram of times between two events.
    pub fn event_gap(&self, labels: Labels) -> Option<&Histogram> {
        self.event_gap.get(self.timed(labels))
    }

    /// The counter of streams of a style that ended so.
    pub fn streams(&self, labels: Labels, style: Style, ending: Ending) -> Option<&AtomicU64> {
        let at = self.timed(labels) * Style::ALL.len() + style as usize;
        self.streams.get(at * Ending::ALL.len() + ending as usize)
    }

    /// The histogram of times of messages that took this way.
    pub fn path(&self, path: Path, mode: Mode) -> Option<&Histogram> {
        self.paths.get(path as usize * self.modes.iter().count() + mode.index())
    }

    fn timed(&self, labels: Labels) -> usize {
        let modes = self.modes.iter().count();
        (labels.leg as usize * modes + labels.mode.index()) * COHORTS + cohort(labels)
    }

    /// Writes the counts that are no histograms of [`Labels`].
    pub fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let streams = Leg::ALL.into_iter().flat_map(|leg| {
            self.stream_kinds(leg).flat_map(move |(style, mode, cohort)| {
                let requested = Requested::Nothing;
                let labels = Labels { leg, dialect: None, cohort: Some(cohort), mode, requested };
                Ending::ALL.into_iter().map(move |ending| {
                    let set = [
                        ("leg", leg.word()),
                        ("style", style.word()),
                        ("mode", self.modes.name(mode)),
                        ("cohort", cohort.word()),
                        ("ending", ending.word()),
                    ];
                    (set, read(self.streams(labels, style, ending)))
                })
            })
        });
        counters(encoder, names::STREAMS, streams)
    }

    /// The styles that a leg's servers speak, in every mode and cohort.
    fn stream_kinds(&self, leg: Leg) -> impl Iterator<Item = (Style, Mode, Cohort)> {
        let styles = Style::ALL
            .into_iter()
            .filter(move |style| (*style == Style::Cloud) != (leg == Leg::Frontend));
        styles.flat_map(move |style| {
            self.modes.iter().flat_map(move |(mode, _)| {
                Cohort::ALL.into_iter().map(move |cohort| (style, mode, cohort))
            })
        })
    }

    /// Every way in every mode, with its histogram.
    pub fn paths(&self) -> impl Iterator<Item = ([(&'static str, &str); 2], &Histogram)> {
        Path::ALL.into_iter().flat_map(move |path| {
            self.modes.iter().filter_map(move |(mode, name)| {
                Some(([("path", path.word()), ("mode", name)], self.path(path, mode)?))
            })
        })
    }
}
