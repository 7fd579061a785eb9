# No provider: texts in, texts out.
terraform {
  required_version = ">= 1.11"
}
