//! konstruct-channels
