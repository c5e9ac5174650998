//! Decisions of zenml-auth.

pub mod ports;
