pub mod postgres;
pub mod provider;
pub mod tenant;
pub mod tf_provider;
