//! Finding things the way people name them: by name, by id, or by the beginning of an id.
//!
//! A name is compared as a whole, so that nothing is deleted or locked because its name begins like another's. A name comes before the
//! beginning of an id.

use std::future::Future;

use uuid::Uuid;
use zenml_auth_api::api_key::ApiKeyResponse;
use zenml_auth_api::device::DeviceResponse;
use zenml_auth_api::service_account::ServiceAccountResponse;
use zenml_auth_api::user::UserResponse;
use zenml_auth_api::{ListRequest, PageResponse};
use zenml_auth_model::query::Operator;

use crate::client::Client;
use crate::error::ClientError;

/// How many of the items that could be meant are named when several are.
const SHOWN_MATCHES: u32 = 5;

/// Something with an id.
trait Identified {
    fn id(&self) -> Uuid;
}

macro_rules! identified {
    ($($name:ty),+) => {
        $(impl Identified for $name {
            fn id(&self) -> Uuid {
                self.id
            }
        })+
    };
}

identified!(
    DeviceResponse,
    UserResponse,
    ServiceAccountResponse,
    ApiKeyResponse
);

/// What is looked for, and what it was called.
struct Wanted<'a> {
    kind: &'static str,
    text: &'a str,
    named: bool,
}

impl Wanted<'_> {
    fn no_such(&self) -> ClientError {
        ClientError::NoSuch {
            kind: self.kind,
            text: self.text.to_owned(),
        }
    }

    /// Looks for it, given how to get one by id and how to list.
    async fn find<T, Got, Listed>(
        &self,
        get: impl FnOnce(Uuid) -> Got,
        list: impl Fn(ListRequest) -> Listed,
    ) -> Result<T, ClientError>
    where
        T: Identified,
        Got: Future<Output = Result<T, ClientError>>,
        Listed: Future<Output = Result<PageResponse<T>, ClientError>>,
    {
        if let Ok(id) = Uuid::try_parse(self.text) {
            return match get(id).await {
                Err(error) if error.is_not_found() => Err(self.no_such()),
                outcome => outcome,
            };
        }
        if self.named {
            let request = ListRequest::new()
                .filter_with("name", Operator::Equals, self.text)
                .size(1)
                .hydrate();
            if let Some(item) = list(request).await?.items.into_iter().next() {
                return Ok(item);
            }
        }
        let beginning = self.text.replace('-', "").to_ascii_lowercase();
        if beginning.is_empty() || beginning.len() > 32 || !beginning.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(self.no_such());
        }
        let request = ListRequest::new()
            .filter_with("id", Operator::StartsWith, &beginning)
            .size(SHOWN_MATCHES)
            .hydrate();
        let mut items = list(request).await?.items;
        match items.len() {
            0 => Err(self.no_such()),
            1 => items.pop().ok_or_else(|| self.no_such()),
            _ => Err(ClientError::Ambiguous {
                kind: self.kind,
                text: self.text.to_owned(),
                matches: items.iter().map(Identified::id).collect(),
            }),
        }
    }
}

impl Client {
    /// Finds one of one's devices by id or the beginning of an id.
    ///
    /// # Errors
    /// [`ClientError::NoSuch`], [`ClientError::Ambiguous`], and what any request may fail with.
    pub async fn find_device(&self, text: &str) -> Result<DeviceResponse, ClientError> {
        let wanted = Wanted {
            kind: "device",
            text,
            named: false,
        };
        wanted
            .find(
                |id| self.device(id),
                |request| async move { self.devices(&request).await },
            )
            .await
    }

    /// Finds a user by name, id or the beginning of an id.
    ///
    /// # Errors
    /// [`ClientError::NoSuch`], [`ClientError::Ambiguous`], and what any request may fail with.
    pub async fn find_user(&self, text: &str) -> Result<UserResponse, ClientError> {
        let wanted = Wanted {
            kind: "user",
            text,
            named: true,
        };
        wanted
            .find(
                |id| self.user(id),
                |request| async move { self.users(&request).await },
            )
            .await
    }

    /// Finds a service account by name, id or the beginning of an id.
    ///
    /// # Errors
    /// [`ClientError::NoSuch`], [`ClientError::Ambiguous`], and what any request may fail with.
    pub async fn find_service_account(&self, text: &str) -> Result<ServiceAccountResponse, ClientError> {
        let wanted = Wanted {
            kind: "service account",
            text,
            named: true,
        };
        let found = wanted
            .find(
                |id| self.service_account(id),
                |request| async move { self.service_accounts(&request).await },
            )
            .await;
        match found {
            Err(refused) if refused.is_forbidden() => self.own_service_account(text, refused).await,
            found => found,
        }
    }

    /// The service account that asks, if that is what was named: it may not list accounts, but look at itself.
    async fn own_service_account(
        &self,
        name: &str,
        refused: ClientError,
    ) -> Result<ServiceAccountResponse, ClientError> {
        match self.current_user().await {
            Ok(own) if own.name == name && own.body.is_service_account => self.service_account(own.id).await,
            _ => Err(refused),
        }
    }

    /// Finds a key of a service account by name, id or the beginning of an id.
    ///
    /// # Errors
    /// [`ClientError::NoSuch`], [`ClientError::Ambiguous`], and what any request may fail with.
    pub async fn find_api_key(
        &self,
        service_account: Uuid,
        text: &str,
    ) -> Result<ApiKeyResponse, ClientError> {
        let wanted = Wanted {
            kind: "API key",
            text,
            named: true,
        };
        wanted
            .find(
                |id| self.api_key(service_account, id),
                |request| async move { self.api_keys(service_account, &request).await },
            )
            .await
    }
}
