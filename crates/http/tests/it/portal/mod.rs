//! Sessions of the customer portal, and the operations that they open.

mod customer;
mod members;
mod ends;
mod sessions;
mod settings;
mod sign_in;
mod tenant;
