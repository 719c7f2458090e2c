//! The structures that reports share, as they stand in the JSON.
