//! The engine against itself, in memory.
