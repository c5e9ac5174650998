//! The commands, one file per group.

pub(crate) mod api_key;
pub(crate) mod auth;
pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod device;
pub(crate) mod disconnect;
pub(crate) mod explain;
pub(crate) mod issued_key;
pub(crate) mod man;
pub(crate) mod rotation_wait;
pub(crate) mod service_account;
pub(crate) mod status;
pub(crate) mod user;

use crate::error::CliError;

/// A name that may be given by position or as `--name`; one of them has to be.
pub(crate) fn one_name<'a>(position: Option<&'a str>, flag: Option<&'a str>) -> Result<&'a str, CliError> {
    match (position, flag) {
        (Some(name), None) | (None, Some(name)) => Ok(name),
        (Some(_), Some(_)) => {
            Err(CliError::usage("the name was given twice").next("Give it by position or as --name."))
        }
        (None, None) => Err(CliError::usage("no name was given").next("Give it by position or as --name.")),
    }
}
