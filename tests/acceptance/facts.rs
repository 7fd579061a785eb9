//! Everything that touches a tenant is either meant or named: facts are changed behind Terraform's back on real
//! servers, tenants forge text, and tenants store what is hard to read. Each part has a file of its own.

mod forging;
mod hostile;
mod matrix;
mod poisons;
mod table;
