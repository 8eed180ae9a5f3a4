//! konstruct-telemetry
