//! The units of systemd, read by systemd itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::TaskError;
use crate::run::{exists, root};

const UNITS: &[&str] = &["zenml-auth-server.service", "zenml-auth-server.socket"];
/// What every unit stands on.
const TARGETS: &[&str] = &[
    "basic.target",
    "multi-user.target",
    "network-online.target",
    "shutdown.target",
    "sockets.target",
    "sysinit.target",
];
/// The programs that the units name.
const PROGRAMS: &[&str] = &["usr/local/bin/zenml-auth-server", "usr/bin/kill"];

/// What systemd says about the units.
pub(super) fn problems() -> Result<Vec<String>, TaskError> {
    let mut texts = Vec::new();
    for unit in UNITS {
        let text = fs::read_to_string(root().join("deploy/systemd").join(unit))?;
        texts.push((*unit, text));
    }
    said_about(&texts)
}

/// What systemd says about units, on a machine with little else. It also tells of lines that it leaves out, and ends well.
fn said_about(units: &[(&str, String)]) -> Result<Vec<String>, TaskError> {
    if !exists("systemd-analyze", "--version") {
        return Err("install systemd (apt-get install systemd), which checks its units".into());
    }
    let machine = tempfile::tempdir()?;
    for target in TARGETS {
        write(
            &machine.path().join("usr/lib/systemd/system").join(target),
            "[Unit]\n",
        )?;
    }
    for program in PROGRAMS {
        let program = machine.path().join(program);
        write(&program, "")?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    }
    let mut verify = Command::new("systemd-analyze");
    verify
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(format!("--root={}", machine.path().display()));
    for (name, text) in units {
        let unit = machine.path().join("etc/systemd/system").join(name);
        write(&unit, text)?;
        verify.arg(unit);
    }
    let verified = verify.output()?;
    let said = String::from_utf8_lossy(&verified.stderr);
    let mut problems: Vec<String> = said.lines().map(str::to_owned).collect();
    if problems.is_empty() && !verified.status.success() {
        problems.push(format!("systemd-analyze verify failed ({})", verified.status));
    }
    Ok(problems)
}

fn write(path: &Path, text: &str) -> Result<(), TaskError> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    Ok(fs::write(path, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_systemd_leaves_out_is_a_problem() {
        if !exists("systemd-analyze", "--version") {
            crate::test::missing("systemd");
            return;
        }
        let service = |line: &str| {
            let text = format!("[Service]\nExecStart=/usr/local/bin/zenml-auth-server\n{line}\n");
            said_about(&[("x.service", text)]).unwrap()
        };
        assert_eq!(service(r"SetCredential=admin-password:\n"), [""; 0]);
        for line in [
            "SetCredential=admin-password:",
            "ProtectSystm=strict",
            "ExecStop=/nope",
        ] {
            assert!(!service(line).is_empty(), "{line}");
        }
    }
}
