//! konstruct-crds
