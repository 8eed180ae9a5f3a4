//! konstruct-queue
