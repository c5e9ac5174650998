use clap::CommandFactory as _;

use super::*;

/// The help of a command and of all below it, each as its own snapshot.
fn check(command: &mut clap::Command, path: &str) {
    let help = command.render_help().to_string();
    insta::with_settings!({snapshot_path => "../../tests/snapshots/help", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(path.replace(' ', "-"), help);
    });
    let names: Vec<String> = command
        .get_subcommands()
        .map(|below| below.get_name().to_owned())
        .collect();
    for name in names.into_iter().filter(|name| name != "help") {
        if let Some(below) = command.find_subcommand_mut(&name) {
            check(below, &format!("{path} {name}"));
        }
    }
}

#[test]
fn help() {
    let mut command = Cli::command().term_width(120);
    command.build();
    check(&mut command, "zenml");
}

#[test]
fn every_command_shows_examples() {
    fn check(command: &clap::Command, path: &str) {
        let below: Vec<_> = command
            .get_subcommands()
            .filter(|below| below.get_name() != "help")
            .collect();
        if !command.is_hide_set() {
            let after = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(after.contains("Examples:"), "{path} shows none");
        }
        for command in below {
            check(command, &format!("{path} {}", command.get_name()));
        }
    }
    check(&Cli::command(), "zenml");
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn what_the_python_command_line_takes_is_taken() {
    for line in [
        "connect --url http://x",
        "connect -u http://x --api-key ZENKEY_x",
        "connect --url http://x --ssl-ca-cert ca.pem",
        "connect --url http://x --verify-ssl",
        "login http://x --api-key",
        "login --api-key http://x",
        "login --refresh",
        "logout --clear",
        "disconnect",
        "authorized-device list --client_id x --trusted_device true --sort_by asc:created --logical_operator or --size 5",
        "authorized-device delete x -y",
        "service-account create ci -d text --create-api-key false",
        "service-account create ci --set-api-key",
        "service-account create ci --output-file f",
        "service-account list -c all -o tsv --name startswith:ci",
        "service-account update ci -n x -d y --active False",
        "service-account api-key ci create k -d text --set-key",
        "service-account api-key ci rotate k --retain 60 --output-file f",
        "service-account api-key ci update k --name n --active no",
        "user create ann --password x --is_admin",
        "user update ann -n x -f y -e z -a",
        "user update ann --full_name y -u --active true",
        "user change-password --old-password x --password y",
        "user deactivate ann",
    ] {
        let parsed = Cli::try_parse_from(std::iter::once("zenml").chain(line.split(' ')));
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "",
        "connect http://x --url http://y",
        "connect --username a --api-key k",
        "connect --no-verify-ssl --ca-file x",
        "device list --size 0",
        "device list --size 10001",
        "device list --output xml",
        "service-account api-key ci rotate k --retain -1",
        "service-account api-key ci create k --expires-in-days 0",
        "service-account api-key",
        "user update ann --admin --user",
    ] {
        let parsed = Cli::try_parse_from(
            std::iter::once("zenml").chain(line.split(' ').filter(|word| !word.is_empty())),
        );
        assert!(parsed.is_err(), "{line}");
    }
}
