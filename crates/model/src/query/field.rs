//! The fields of what is listed.

use std::fmt;

/// What a field holds, and so what it can be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A text, compared letter by letter.
    Text,
    /// A UUID; also searchable by a part of its text.
    Id,
    /// A moment.
    Time,
    /// Yes or no.
    Bool,
    /// A whole number.
    Number,
}

/// The fields that listings of one kind of item can filter and sort by.
pub trait Field: Copy + Eq + fmt::Debug + Send + Sync + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// The name on the wire.
    fn name(self) -> &'static str;

    /// What it holds.
    fn kind(self) -> FieldKind;

    /// The field that is called so on the wire.
    fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// The field that listings are sorted by unless told otherwise.
    fn created() -> Self;
}

macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident : $kind:ident => $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl Field for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            fn kind(self) -> FieldKind {
                match self { $(Self::$variant => FieldKind::$kind),+ }
            }

            fn created() -> Self {
                Self::Created
            }
        }
    };
}

fields!(
    /// Fields of users.
    UserField {
        /// The id.
        Id: Id => "id",
        /// When it was created.
        Created: Time => "created",
        /// When it was last changed.
        Updated: Time => "updated",
        /// The name.
        Name: Text => "name",
        /// The name to show.
        FullName: Text => "full_name",
        /// The e-mail address.
        Email: Text => "email",
        /// Whether the user may sign in.
        Active: Bool => "active",
        /// Whether the user is an administrator.
        IsAdmin: Bool => "is_admin",
        /// Whether the user shares the address.
        EmailOptedIn: Bool => "email_opted_in",
    }
);

fields!(
    /// Fields of devices.
    DeviceField {
        /// The id.
        Id: Id => "id",
        /// When it first connected.
        Created: Time => "created",
        /// When it was last changed.
        Updated: Time => "updated",
        /// When it expires.
        Expires: Time => "expires",
        /// The client installation.
        ClientId: Id => "client_id",
        /// Whose it is.
        UserId: Id => "user_id",
        /// `active` or `locked`.
        Status: Text => "status",
        /// Whether it is trusted.
        TrustedDevice: Bool => "trusted_device",
        /// When it was last used.
        LastLogin: Time => "last_login",
        /// The machine's name.
        Hostname: Text => "hostname",
        /// The operating system.
        Os: Text => "os",
        /// The network address.
        IpAddress: Text => "ip_address",
    }
);

fields!(
    /// Fields of service accounts.
    ServiceAccountField {
        /// The id.
        Id: Id => "id",
        /// When it was created.
        Created: Time => "created",
        /// When it was last changed.
        Updated: Time => "updated",
        /// The name.
        Name: Text => "name",
        /// The description.
        Description: Text => "description",
        /// Whether it may be used.
        Active: Bool => "active",
    }
);

fields!(
    /// Fields of API keys.
    ApiKeyField {
        /// The id.
        Id: Id => "id",
        /// When it was created.
        Created: Time => "created",
        /// When it was last changed.
        Updated: Time => "updated",
        /// The name.
        Name: Text => "name",
        /// The description.
        Description: Text => "description",
        /// Whether it may be used.
        Active: Bool => "active",
        /// When it was last used.
        LastLogin: Time => "last_login",
        /// When it was last rotated.
        LastRotated: Time => "last_rotated",
        /// When it expires.
        Expires: Time => "expires",
    }
);

fields!(
    /// Fields of what there is one of, with a name: the default project and stack.
    NamedField {
        /// The id.
        Id: Id => "id",
        /// When it was created.
        Created: Time => "created",
        /// When it was last changed.
        Updated: Time => "updated",
        /// The name.
        Name: Text => "name",
    }
);

fields!(
    /// Fields of the audit trail.
    AuditField {
        /// The entry's id.
        Id: Id => "id",
        /// When it happened.
        Created: Time => "created",
        /// Who did it, by id.
        ActorId: Id => "actor_id",
        /// Who did it, by name.
        ActorName: Text => "actor_name",
        /// What was done.
        Action: Text => "action",
        /// What it was done to, by id.
        TargetId: Id => "target_id",
        /// What it was done to, by name.
        TargetName: Text => "target_name",
        /// From which address.
        Address: Text => "address",
        /// In which request.
        RequestId: Text => "request_id",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_names_are_unique() {
        for field in DeviceField::ALL {
            assert_eq!(DeviceField::parse(field.name()), Some(*field));
        }
    }
}
