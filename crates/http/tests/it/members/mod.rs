//! Members of customers.

mod by_member;
mod of_customer;
