//! Tests of the project itself: that its rooms keep apart and its documentation is up to date.

mod arrows;
mod compliance;
mod docs;
mod english;
mod guides;
