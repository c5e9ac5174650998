//! Keeping servers from a database while something is done that they would not notice.

use std::time::Duration;

use zenml_auth_core::ports::StoreError;
use zenml_auth_migrations::serving::LOOKS;

use super::reader::within;
use crate::dialect::{Dialect, EpochConnection};
use crate::options::ConnectOptions;
use crate::schema::SchemaError;

/// How long to wait before looking again whether servers have ended.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens a session that holds the lock of servers alone. Servers that are about to end are waited for.
pub(crate) async fn take_alone(
    dialect: Dialect,
    options: &ConnectOptions,
) -> Result<EpochConnection, SchemaError> {
    let connecting = dialect.connect_for_epoch(options);
    let mut connection = within(dialect, options.connect_timeout, connecting).await?;
    let mut looks = 0;
    loop {
        let others = within(dialect, options.statement_timeout, connection.take_alone()).await?;
        match u32::try_from(others) {
            Ok(0) => return Ok(connection),
            Ok(servers) if looks == LOOKS => return Err(SchemaError::InUse { servers }),
            Ok(_) => {}
            Err(_) => {
                let reason = format!("{others} servers hold the lock on the schema");
                return Err(StoreError::Corrupt(reason).into());
            }
        }
        looks += 1;
        tokio::time::sleep(PAUSE).await;
    }
}
