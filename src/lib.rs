pub mod tf_provider;
