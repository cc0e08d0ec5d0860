//! In which form a scraper takes the metrics, by what it accepts.

use http::HeaderMap;
use http::header::ACCEPT;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics text, histograms in classic buckets.
    Text,
    /// Prometheus' protobuf, histograms in classic and native buckets.
    Protobuf,
}

/// A range of an Accept header: its type, parameters and weight in thousandths.
struct Range<'h> {
    kind: &'h str,
    parameters: Vec<(String, &'h str)>,
    weight: u16,
}

impl Format {
    /// The form for a scraper: protobuf where it is asked for by name, and nothing is preferred to
    /// it; text for everyone else.
    pub fn accepted(headers: &HeaderMap) -> Format {
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<Range<'_>> =
            values.flat_map(|value| value.split(',')).filter_map(range).collect();
        let weight = |protobuf: bool| {
            let of = ranges.iter().filter(|range| range.is_protobuf() == protobuf);
            of.map(|range| range.weight).max().unwrap_or_default()
        };
        let (protobuf, others) = (weight(true), weight(false));
        if protobuf > 0 && protobuf >= others { Format::Protobuf } else { Format::Text }
    }

    /// The value of Content-Type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                 encoding=delimited"
            }
        }
    }
}

impl Range<'_> {
    fn is_protobuf(&self) -> bool {
        let says = |name: &str, wanted: &str| {
            let mut said = self.parameters.iter().filter(|(known, _)| known == name);
            said.next().is_some_and(|(_, value)| *value == wanted)
        };
        self.kind.eq_ignore_ascii_case("application/vnd.google.protobuf")
            && says("proto", "io.prometheus.client.MetricFamily")
            && says("encoding", "delimited")
    }
}

fn range(text: &str) -> Option<Range<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().filter(|kind| !kind.is_empty())?;
    let (mut parameters, mut weight) = (Vec::new(), 1000);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'));
        match name.as_str() {
            // What is no weight is not preferred.
            "q" => weight = thousandths(value).unwrap_or_default(),
            _ => parameters.push((name, value)),
        }
    }
    Some(Range { kind, parameters, weight })
}

fn thousandths(weight: &str) -> Option<u16> {
    let weight: f32 = weight.parse().ok()?;
    (0.0..=1.0).contains(&weight).then(|| (weight * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PROTOBUF: &str = "application/vnd.google.protobuf;\
        proto=io.prometheus.client.MetricFamily;encoding=delimited";

    #[test]
    fn who_gets_which() {
        let text = "application/openmetrics-text;version=1.0.0";
        let old = "application/openmetrics-text;version=0.0.1";
        let cases: [(&[&str], Format); 17] = [
            (&[], Format::Text),
            (&["*/*"], Format::Text),
            (&["text/plain"], Format::Text),
            (&[PROTOBUF], Format::Protobuf),
            (&[&PROTOBUF.replace(';', "; ").replace("encoding", "Encoding")], Format::Protobuf),
            (&[&PROTOBUF.replace("delimited", "\"delimited\"")], Format::Protobuf),
            // As Prometheus 2 and 3 ask, with native histograms and without.
            (
                &[&format!("{PROTOBUF},{text};q=0.8,{old};q=0.75,text/plain;q=0.5,*/*;q=0.1")],
                Format::Protobuf,
            ),
            (
                &[&format!("{PROTOBUF};q=0.6,{text};escaping=allow-utf-8;q=0.5,*/*;q=0.2")],
                Format::Protobuf,
            ),
            (
                &[&format!("{text};escaping=allow-utf-8;q=0.6,{PROTOBUF};q=0.5,*/*;q=0.2")],
                Format::Text,
            ),
            (&[&format!("{text};q=0.5,text/plain;q=0.2")], Format::Text),
            (&[&format!("*/*,{PROTOBUF}")], Format::Protobuf),
            (&["*/*;q=0.1", PROTOBUF], Format::Protobuf),
            (&[&format!("{PROTOBUF};q=0.5"), text], Format::Text),
            (&[&format!("{PROTOBUF};q=0")], Format::Text),
            (&[&format!("{PROTOBUF};q=high")], Format::Text),
            (&[&PROTOBUF.replace("delimited", "text")], Format::Text),
            (&["application/vnd.google.protobuf"], Format::Text),
        ];
        for (values, format) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(ACCEPT, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(Format::accepted(&headers), format, "{values:?}");
        }
    }
}
