//! The operators of filters, as they are on the wire.

/// The operators of ZenML's filters, as in `name=startswith:ci`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `equals`, which is also meant when no operator is given.
    Equals,
    /// `notequals`
    NotEquals,
    /// `contains`
    Contains,
    /// `notcontains`
    NotContains,
    /// `startswith`
    StartsWith,
    /// `endswith`
    EndsWith,
    /// `oneof`, with a JSON list or a comma-separated one
    OneOf,
    /// `notoneof`
    NotOneOf,
    /// `isnull`
    IsNull,
    /// `isnotnull`
    IsNotNull,
    /// `gt`
    Gt,
    /// `gte`
    Gte,
    /// `lt`
    Lt,
    /// `lte`
    Lte,
    /// `in`, for times: two moments with a comma between them, both included
    In,
}

impl Operator {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Equals,
        Self::NotEquals,
        Self::Contains,
        Self::NotContains,
        Self::StartsWith,
        Self::EndsWith,
        Self::OneOf,
        Self::NotOneOf,
        Self::IsNull,
        Self::IsNotNull,
        Self::Gt,
        Self::Gte,
        Self::Lt,
        Self::Lte,
        Self::In,
    ];

    /// The operator's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::NotEquals => "notequals",
            Self::Contains => "contains",
            Self::NotContains => "notcontains",
            Self::StartsWith => "startswith",
            Self::EndsWith => "endswith",
            Self::OneOf => "oneof",
            Self::NotOneOf => "notoneof",
            Self::IsNull => "isnull",
            Self::IsNotNull => "isnotnull",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::In => "in",
        }
    }

    /// The operator that is called so on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|operator| operator.as_str() == text)
    }
}
