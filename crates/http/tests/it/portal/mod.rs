//! Sessions of the customer portal, and the operations that they open.

mod customer;
mod ends;
mod limits;
mod members;
mod sessions;
mod settings;
mod sign_in;
mod tenant;
