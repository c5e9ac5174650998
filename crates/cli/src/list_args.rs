//! The flags that all lists share.

use clap::{Args, ValueEnum};
use zenml_auth_api::ListRequest;
use zenml_auth_model::query::Combine;

use crate::context::Session;
use crate::error::CliError;
use crate::filters::Filter;
use crate::output::ListOutputArgs;

/// How several filters combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogicalOperator {
    /// All have to hold
    And,
    /// One has to hold
    Or,
}

/// Order, page and form of a list.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// The order: a field, with asc: or desc: before it
    #[arg(
        long,
        alias = "sort_by",
        value_name = "ORDER",
        default_value = "desc:created",
        value_parser = order,
        help_heading = "Order and pages"
    )]
    sort_by: String,
    /// Which page
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Order and pages")]
    page: u32,
    /// How many on a page
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Order and pages")]
    size: u32,
    /// Whether all filters have to hold, or one
    #[arg(
        long,
        alias = "logical_operator",
        value_enum,
        default_value = "and",
        hide_default_value = true,
        hide_possible_values = true,
        value_name = "and|or",
        help_heading = "Filters"
    )]
    logical_operator: LogicalOperator,
    #[command(flatten)]
    pub(crate) output: ListOutputArgs,
}

impl ListArgs {
    /// The request, with these filters as they were typed. Some are understood by some servers only, which are asked what they are.
    pub(crate) async fn request<'a>(
        &self,
        session: &Session<'_>,
        filters: impl IntoIterator<Item = (&'static str, &'a Vec<String>)>,
    ) -> Result<ListRequest, CliError> {
        let filters: Vec<Filter<'a>> = filters
            .into_iter()
            .flat_map(|(field, values)| values.iter().map(move |value| Filter::read(field, value)))
            .collect();
        if filters.iter().any(Filter::needs_check) {
            let info = session.finish(session.client.info().await).await?;
            filters
                .iter()
                .try_for_each(|filter| filter.check(&info, session.url()))?;
        }
        let mut request = ListRequest::new()
            .sort_by(self.sort_by.as_str())
            .page(self.page)
            .size(self.size)
            .hydrate();
        for filter in &filters {
            request = request.filter(filter.field(), filter.to_send());
        }
        Ok(match self.logical_operator {
            LogicalOperator::And => request,
            LogicalOperator::Or => request.combine(Combine::Or),
        })
    }
}

/// An order, as typed. ZenML's server takes no notice of a direction that it does not know.
fn order(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((direction, _)) if !matches!(direction, "asc" | "desc") => {
            Err("write asc:FIELD or desc:FIELD".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}
