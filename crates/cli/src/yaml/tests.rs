use super::read::ReadError;
use super::*;

fn again(text: &str) -> String {
    write(read(text).unwrap().unwrap().as_mapping().unwrap())
}

#[test]
fn what_was_written_plain_stays_plain_and_what_was_in_quotes_stays_so() {
    for line in [
        "a: yes",
        "a: 'yes'",
        "a: 1e3",
        "a: '1e3'",
        "a: 0o17",
        "a: 1000000000000000000000000000000",
        "a: 12:30:45",
        "a: '12:30:45'",
        "a: 2026-11-25",
        "a: ~",
        "a: '~'",
        "a: .inf",
        "'no': 1",
        "1: 2",
        "<<: 1",
        "a: '='",
        "a: 'it''s'",
        "a: \"a\\nb\\x07\\u2028\"",
        "a: é🚀",
        "a: !!binary 'YWI='",
        "a: !own 'x'",
        "a: []",
        "a: {}",
        "a: !!set {}",
        "a:\n- 1\n- - 2\n  - 3\n- b: 4\n  c: 5\n- []",
        "a:\n  b:\n    c: 1",
        "? a: 1\n  b: 2\n: c",
        "? - 1\n  - 2\n: - 3",
        "a: !!set\n  b: null\n  c: null",
    ] {
        let text = format!("{line}\n");
        assert_eq!(again(&text), text);
    }
}

#[test]
fn what_is_written_in_other_ways_means_the_same() {
    for (text, expected) in [
        ("{a: 1, b: [yes, 'no']}", "a: 1\nb:\n- yes\n- 'no'\n"),
        ("a: |\n  b\n  c\n", "a: \"b\\nc\\n\"\n"),
        ("a: >-\n  b\n  c\n", "a: 'b c'\n"),
        ("a: b\n  c\n", "a: b c\n"),
        ("a:\n", "a: null\n"),
        ("a: &x [1]\nb: *x\n", "a:\n- 1\nb:\n- 1\n"),
        ("# only\na: 1 # a comment\n", "a: 1\n"),
        ("--- \na: 1\n...\n", "a: 1\n"),
        ("a: \"\\u00e9\"\n", "a: 'é'\n"),
    ] {
        assert_eq!(again(text), expected, "{text}");
        assert_eq!(again(expected), expected);
    }
    let long = "x".repeat(200);
    let text = again(&format!("{long}: 1\n"));
    assert_eq!(text, format!("? {long}\n: 1\n"));
    assert_eq!(again(&text), text);
}

#[test]
fn a_new_text_is_a_text_to_everyone() {
    for (text, expected) in [
        ("ci", "ci"),
        ("http://127.0.0.1:8237", "http://127.0.0.1:8237"),
        ("/etc/ca.pem", "/etc/ca.pem"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.x-_", "eyJhbGciOiJIUzI1NiJ9.e30.x-_"),
        (
            "77ec22a2-335b-4130-ba6c-1e1c371236a7",
            "77ec22a2-335b-4130-ba6c-1e1c371236a7",
        ),
        (
            "1e1c3712-335b-4130-ba6c-77ec22a2236a",
            "1e1c3712-335b-4130-ba6c-77ec22a2236a",
        ),
        ("yes", "'yes'"),
        ("Off", "'Off'"),
        ("n", "'n'"),
        ("null", "'null'"),
        ("", "''"),
        ("0.98.0", "'0.98.0'"),
        ("1_000", "'1_000'"),
        ("12e5", "'12e5'"),
        ("2026-11-25", "'2026-11-25'"),
        ("=", "'='"),
        ("<<", "'<<'"),
        ("a: b", "'a: b'"),
        ("a:", "'a:'"),
        ("a #b", "'a #b'"),
        ("a ", "'a '"),
        ("- a", "'- a'"),
        ("it's", "'it''s'"),
        ("a\nb", "\"a\\nb\""),
        ("a\\\u{1b}\u{202e}", "\"a\\\\\\x1b\\u202e\""),
    ] {
        let mut mapping = Mapping::new();
        mapping.insert("k", text);
        let written = write(&mapping);
        assert_eq!(written, format!("k: {expected}\n"));
        let back = read(&written).unwrap().unwrap();
        assert_eq!(back.as_mapping().unwrap().get("k").unwrap().as_text(), Some(text));
    }
}

#[test]
fn values_are_what_python_takes_them_for() {
    let root = read("a: no\nb: 'no'\nc: ~\nd: 'null'\ne: 12\nf: {g: 1}\nh: [1]\ne: 13\n")
        .unwrap()
        .unwrap();
    let root = root.as_mapping().unwrap();
    let get = |name: &str| root.get(name).unwrap();
    assert_eq!((get("a").as_bool(), get("b").as_bool()), (Some(false), None));
    assert_eq!(get("b").as_text(), Some("no"));
    assert!(get("c").is_null() && get("c").as_text().is_none() && !get("d").is_null());
    assert_eq!(get("e").as_text(), Some("13"), "the last one counts");
    assert!(
        get("f").as_mapping().is_some() && get("f").as_text().is_none() && get("h").as_mapping().is_none()
    );
}

#[test]
fn keys_are_set_and_taken_away() {
    let mut root = read("a: 1\n'b': 2\na: 3\n")
        .unwrap()
        .unwrap()
        .into_mapping()
        .unwrap();
    root.insert("b", Node::bool(true));
    root.insert("c", Node::number(7_u64));
    root.rename("c", "d");
    assert_eq!(root.keys().collect::<Vec<_>>(), ["a", "b", "a", "d"]);
    assert!(root.remove("a").is_some() && root.remove("a").is_none());
    assert_eq!(write(&root), "'b': true\nd: 7\n");
    assert_eq!(write(&Mapping::new()), "{}\n");
}

#[test]
fn what_is_no_document_is_refused() {
    assert_eq!(read(""), Ok(None));
    assert_eq!(read("# nothing\n"), Ok(None));
    assert!(matches!(read("a: [1"), Err(ReadError::NotYaml { .. })));
    assert!(matches!(read("a: 'hunter2"), Err(ReadError::NotYaml { .. })));
    assert!(matches!(
        read("a: 1\n  b: 2\n"),
        Err(ReadError::NotYaml { line: 2, .. })
    ));
    assert_eq!(read("a: 1\n---\nb: 2\n"), Err(ReadError::SeveralDocuments));
}

#[test]
fn no_document_is_too_much() {
    assert!(read(&"[".repeat(100_000)).is_err());
    assert_eq!(read(&"- ".repeat(1_000)), Err(ReadError::TooLarge));
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let before = format!("*a{},", n - 1).repeat(10);
        laughs.push_str(&format!("a{n}: &a{n} [{before}]\n"));
    }
    assert_eq!(read(&laughs), Err(ReadError::TooLarge));
    assert_eq!(read("a: &a [*a]\n"), Err(ReadError::TooLarge));
}
