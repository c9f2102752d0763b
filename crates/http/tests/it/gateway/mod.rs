//! Behaviour of every request before its operation runs.

mod invalid_input;
mod openapi;
mod random_requests;
mod requests;
mod slow_bodies;
