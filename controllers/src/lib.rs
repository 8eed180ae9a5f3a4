//! konstruct-controllers
