use proptest::prelude::*;

use super::*;

/// What a connection is read as: the first fault's place and part, or where the reading stands.
fn read(bytes: &[u8], cuts: &[usize]) -> Result<(bool, Part), (usize, Part)> {
    let mut framing = Framing::new();
    let mut at = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let result = framing.read(&bytes[at..end]);
        result.map_err(|fault| (at + fault.at, fault.part))?;
        at = end;
    }
    Ok((framing.is_between_messages(), framing.part()))
}

fn whole(text: &str) -> Result<(bool, Part), (usize, Part)> {
    let at_once = read(text.as_bytes(), &[]);
    let cuts: Vec<usize> = (1..text.len()).collect();
    assert_eq!(read(text.as_bytes(), &cuts), at_once, "byte by byte: {text:?}");
    at_once
}

/// The text up to the fault, which `|` marks in a case.
fn assert_fault(case: &str, part: Part) {
    let at = case.find('|').expect("a mark");
    let text = case.replacen('|', "", 1);
    let found = whole(&text);
    assert_eq!(found, Err((at, part)), "{case:?}");
}

const END: Result<(bool, Part), (usize, Part)> = Ok((true, Part::Head));
const BODY: Result<(bool, Part), (usize, Part)> = Ok((false, Part::Body));

#[test]
fn what_can_be_read_in_one_way() {
    let cases = [
        "GET / HTTP/1.1\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        "GET /a?b#c\\d HTTP/1.1\r\nHost:h\r\nX-Empty:\r\nX-Blank: \t \r\nX: \u{e9}\t;,\"\r\n\r\n",
        "M-SEARCH * HTTP/1.1\r\n!#$%&'*+-.^_`|~09aZ: v\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\r\nPOST / HTTP/1.1\r\ncontent-length:0\r\n\r\n",
        "POST / HTTP/1.1\r\nCONTENT-LENGTH: \t003  \r\n\r\n\0\n\rGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding:\t CHUNked  \r\n\r\n00A\r\n0123456789\r\n\
         3;a=\"b\" ; c\r\n\r\n\0\r\n000\r\nX-Trailer: 1\r\nx:\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Lengths: x\r\nX-Transfer-Encoding: x\r\nTransfer-Encodin: x\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: Upgrade\r\n\r\nGET / HTTP/1.1\r\nUpgrade: a\r\n\r\n",
    ];
    for case in cases {
        assert_eq!(whole(case), END, "{case:?}");
    }
    let long = format!("GET /{0} HTTP/1.1\r\n{0}: {0}\r\n\r\n", "a".repeat(9000));
    assert_eq!(whole(&long), END);
}

#[test]
fn what_is_not_over_yet() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let inside = ["", "0", "0\r", "0\r\n", "0\r\nX: y\r\n", "2\r\n", "2\r\nab", "2\r\nab\r", "1;x"];
    for rest in inside {
        assert_eq!(whole(&format!("{head}{rest}")), BODY, "{rest:?}");
    }
    for length in ["1", "9999999999999999999"] {
        let head = format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(whole(&head), BODY);
    }
    for head in ["G", "GET /", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nX:", "GET / HTTP/1.1\r\n\r"]
    {
        assert_eq!(whole(head), Ok((false, Part::Head)), "{head:?}");
    }
}

#[test]
fn request_lines_that_are_none() {
    let cases = [
        "|\nGET / HTTP/1.1",
        "\r|\rGET / HTTP/1.1",
        "\r\n|\r\nGET / HTTP/1.1",
        "GET / HTTP/1.1\r\n\r\n\r\n|\r\n",
        "| GET / HTTP/1.1",
        "|\0",
        "|:",
        "G|(ET / HTTP/1.1",
        "GET|\t/ HTTP/1.1",
        "GET|\r\n",
        "GET |\t/ HTTP/1.1",
        "GET | / HTTP/1.1",
        "GET |\r\n",
        "GET /|\r\n",
        "GET /a|\tb HTTP/1.1",
        "GET /a|\0b HTTP/1.1",
        "GET /a|\u{7f} HTTP/1.1",
        "GET /|\u{e9} HTTP/1.1",
        "GET / | HTTP/1.1",
        "GET /a |b HTTP/1.1",
        "GET / |http/1.1",
        "GET / HTTP|S/1.1",
        "GET / HTTP/1|1",
        "GET / HTTP/1.|2\r\n",
        "GET / HTTP/|2.0\r\n",
        "PRI * HTTP/|2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/|0.9\r\n",
        "GET / HTTP/1.1|1\r\n",
        "GET / HTTP/1.1| \r\n",
        "GET / HTTP/1.1|\n",
        "GET / HTTP/1.1\r|\r\n",
        "GET / HTTP/1.1\r|X",
    ];
    for case in cases {
        assert_fault(case, Part::Head);
    }
}

#[test]
fn fields_that_are_none() {
    let cases = [
        "| X: leading space\r\n",
        "|\tX: leading tab\r\n",
        "X: a\r\n| folded\r\n",
        "X: a\r\n|\tfolded\r\n",
        "X| : a\r\n",
        "X|\t: a\r\n",
        "X| Y: a\r\n",
        "X|\r\n",
        "X|\n",
        "|: nameless\r\n",
        "|\0: a\r\n",
        "X|\u{e9}: a\r\n",
        "X|(: a\r\n",
        "X|\"y\": a\r\n",
        "X: a|\n",
        "X: a\r|b\r\n",
        "X: a\r|\r\n",
        "X: a|\0b\r\n",
        "X: a|\u{b}\r\n",
        "X: a|\u{7f}\r\n",
        "X: a|\u{1b}[0m\r\n",
        "X:|\n",
        "|\n",
        "X: a\r\n|\n",
        "X: a\r\n\r|X",
        "X: a\r\n\r|\r\n",
        "Connection: a|\0\r\n",
        "Connection: upgrade|\n",
    ];
    for case in cases {
        assert_fault(&format!("GET / HTTP/1.1\r\n{case}"), Part::Head);
    }
}

#[test]
fn lengths_and_codings_that_are_none() {
    let cases = [
        "Content-Length:|\r\n",
        "Content-Length: |\r\n",
        "Content-Length: |+1\r\n",
        "Content-Length: |-1\r\n",
        "Content-Length: 0|x1\r\n",
        "Content-Length: 1|a\r\n",
        "Content-Length: 1|\t\r\n",
        "Content-Length: 1 |\t\r\n",
        "Transfer-Encoding: chunked|\t\r\n",
        "Content-Length: 1 |1\r\n",
        "Content-Length: 1|, 1\r\n",
        "Content-Length: 1|.0\r\n",
        "Content-Length: |\u{e9}\r\n",
        "Content-Length: 1|\n",
        "Content-Length: 1\r|1",
        "Content-Length: 9999999999999999999|9\r\n",
        "Content-Length: 0000000000000000000|1\r\n",
        "Content-Length: 1\r\nContent-Length|: 1\r\n",
        "Content-Length: 0\r\ncontent-length|: 0\r\n",
        "Content-Length: 1\r\nTransfer-Encoding|: chunked\r\n",
        "Transfer-Encoding: chunked\r\nX: y\r\nContent-Length|: 1\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding|: chunked\r\n",
        "Transfer-Encoding:|\r\n",
        "Transfer-Encoding: |identity\r\n",
        "Transfer-Encoding: |gzip, chunked\r\n",
        "Transfer-Encoding: chunked|, identity\r\n",
        "Transfer-Encoding: chunked|,\r\n",
        "Transfer-Encoding: |, chunked\r\n",
        "Transfer-Encoding: chunke|\r\n",
        "Transfer-Encoding: chunked|d\r\n",
        "Transfer-Encoding: chunked |d\r\n",
        "Transfer-Encoding: chun| ked\r\n",
        "Transfer-Encoding: |\"chunked\"\r\n",
        "Transfer-Encoding: chunked|;a=b\r\n",
        "Transfer-Encoding: |\u{b}chunked\r\n",
        "Transfer-Encoding: |xchunked\r\n",
        "Transfer-Encoding: chunked|\n",
    ];
    for case in cases {
        assert_fault(&format!("POST / HTTP/1.1\r\n{case}"), Part::Head);
    }
    assert_fault("POST / HTTP/1.0\r\nTransfer-Encoding|: chunked\r\n", Part::Head);
}

#[test]
fn chunks_that_are_none() {
    let extension = "x".repeat(EXTENSIONS_LIMIT - 1);
    let spread = format!("1;{}\r\na\r\n", "x".repeat(EXTENSIONS_LIMIT / 2 - 1));
    let cases = [
        "|\r\n".to_owned(),
        "|;x\r\n".to_owned(),
        "|g\r\n".to_owned(),
        "0|x1\r\n".to_owned(),
        "|+1\r\n".to_owned(),
        "|-1\r\n".to_owned(),
        "1|_0\r\n".to_owned(),
        "1| \r\n".to_owned(),
        "1| ;x\r\n".to_owned(),
        "1|\t\r\n".to_owned(),
        "| 1\r\n".to_owned(),
        "1|\n".to_owned(),
        "1\r|a".to_owned(),
        "0000000000000000|1\r\n".to_owned(),
        "1;x|\n".to_owned(),
        "1;x|\0\r\n".to_owned(),
        "1;x|\t\r\n".to_owned(),
        "1;x\r|\r\n".to_owned(),
        "1\r\na|b".to_owned(),
        "1\r\na|\n".to_owned(),
        "1\r\na\r|X".to_owned(),
        "1\r\na|0\r\n\r\n".to_owned(),
        format!("1;{extension}|x\r\n"),
        format!("{spread}{spread}1;|x\r\n"),
        "0\r\n|\n".to_owned(),
        "0\r\n\r|X".to_owned(),
        "0\r\n| X: y\r\n".to_owned(),
        "0\r\nX: y\r\n| folded\r\n".to_owned(),
        "0\r\nX| : y\r\n".to_owned(),
        "0\r\nX: |\0\r\n".to_owned(),
        "0\r\nX: y|\n".to_owned(),
        "0\r\nContent-Length|: 1\r\n".to_owned(),
        "0\r\nUpgrade|: foo\r\n".to_owned(),
        "0\r\nConnection|: upgrade\r\n".to_owned(),
        "0\r\nX: y\r\ntransfer-encoding|: chunked\r\n".to_owned(),
        "0\r\nHost|: h\r\n".to_owned(),
        format!("0\r\nX: {}|y\r\n", "y".repeat(TRAILERS_LIMIT - 4)),
    ];
    for case in cases {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_fault(&format!("{head}{case}"), Part::Body);
    }
}

#[test]
fn behind_a_request_to_upgrade_nothing_is_judged() {
    let asks = [
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nconnection: keep-alive,\t UPGRADE \t, x\r\nupgrade: foo\r\n\r\n",
        "POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: a\r\nContent-Length: 2\r\n\r\n\0\n",
    ];
    for ask in asks {
        assert_eq!(whole(&format!("{ask}\0\r\n \n")), END, "{ask:?}");
    }
    let others = [
        "Upgrade: websocket\r\n",
        "Upgrade: a\r\nConnection: upgraded, xupgrade, up grade, close\r\n",
        "Upgrade: a\r\nConnection: \"upgrade\", upgrade;q=1, upgrad\r\n",
        "Connection: upgrade\r\n",
        "X-Upgrade: a\r\nConnection: upgrade\r\n",
    ];
    for fields in others {
        assert_fault(&format!("GET / HTTP/1.1\r\n{fields}\r\n|\0"), Part::Head);
    }
    assert_fault(&format!("{}|\0", asks[2].replace("\r\n\r\n\0\n", "\r\n")), Part::Head);
}

#[test]
fn behind_a_fault_everything_is_one() {
    let mut framing = Framing::new();
    assert!(framing.read(b"GET / HTTP/1.1\n").is_err());
    assert_eq!(framing.read(b"GET"), Err(Fault { at: 0, part: Part::Head }));
    assert_eq!(framing.read(b""), Ok(()));
}

/// Pieces that connections are made of, good and bad.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "GET /a HTTP/1.1\r\n",
        "POST /bcdefghijklmnopqrstuvwxyz HTTP/1.0\r\n",
        "Host: example.com\r\n",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: keep-alive, Upgrade\r\n",
        "Upgrade: foo\r\n",
        "X-Long-Name-Of-A-Field: a value that is longer than a lane\r\n",
        "\r\n",
        "5\r\n01234\r\n",
        "0\r\n",
        "3;ext\r\nabc\r\n",
        "01234",
        "\n",
        " ",
        "\0",
        ":",
    ];
    let piece = prop_oneof![
        20 => proptest::sample::select(pieces.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A whole message, so that what is generated often has no fault before its end.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let messages = [
        "GET /a HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive\r\n\r\n",
        "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n\n\r\0\n ",
        "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\nX: y\r\n\r\n",
    ];
    let message = proptest::sample::select(messages.to_vec());
    proptest::collection::vec(message, 0..4).prop_map(|messages| messages.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_answer(
        messages in messages(),
        pieces in pieces(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
    ) {
        let bytes = [messages, pieces].concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(read(&bytes, &cuts), read(&bytes, &[]));
    }
}
