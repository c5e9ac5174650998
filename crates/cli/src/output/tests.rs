use super::*;

struct Thing;

impl Listed for Thing {
    const PLURAL: &'static str = "things";
    const DEFAULT_COLUMNS: &'static [&'static str] = &["id"];
    const COLUMNS: &'static [&'static str] = &["id", "last_login"];

    fn record(&self) -> Record {
        Record::new().with("id", 1_i64).with("last_login", Cell::Nothing)
    }
}

fn chosen(columns: Option<&str>, output: Format) -> Result<Vec<&'static str>, CliError> {
    let args = ListOutputArgs {
        columns: columns.map(str::to_owned),
        output: OutputArgs { output },
    };
    chosen_columns::<Thing>(&args)
}

#[test]
fn people_see_some_columns_and_programs_all() {
    assert_eq!(chosen(None, Format::Table).unwrap(), ["id"]);
    assert_eq!(chosen(None, Format::Json).unwrap(), ["id", "last_login"]);
    assert_eq!(chosen(Some("all"), Format::Table).unwrap(), ["id", "last_login"]);
    assert_eq!(
        chosen(Some("last-login, ID"), Format::Csv).unwrap(),
        ["last_login", "id"]
    );
}

#[test]
fn an_unknown_column_is_refused() {
    let error = chosen(Some("id,colour"), Format::Table).unwrap_err();
    assert_eq!(error.what, "there is no column \"colour\"");
    assert_eq!(error.next.as_deref(), Some("Use all, or some of id, last_login."));
}
