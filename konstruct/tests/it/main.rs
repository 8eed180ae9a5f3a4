//! Runs the executable as a user does.

#[cfg(test)]
mod commands;
#[cfg(test)]
mod dev;
#[cfg(test)]
mod process;
