//! Starts real servers. Needs PostgreSQL and Redis on the machine: scripts/setup.

#[cfg(test)]
mod lifecycle;
