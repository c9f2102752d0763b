//! Sessions of the customer portal, and the operations that they open.

mod customer;
mod members;
mod sessions;
mod tenant;
