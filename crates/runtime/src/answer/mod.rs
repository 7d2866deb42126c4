//! What the runtime says itself: friendly pages, or problem+json for programs.

pub mod negotiate;
pub mod notice;
