//! Behaviour of every request before its operation runs.

mod https;
mod invalid_input;
mod openapi;
mod owners;
mod pages;
mod random_requests;
mod requests;
mod resource_limits;
mod slow_bodies;
