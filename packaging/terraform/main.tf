# Uploads the zips of the functions, and creates the stack of the packaged template. The files are in each release.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 4.0"
    }
  }
}

variable "name" {
  description = "The name of the stack."
  type        = string
  default     = "ecr-preflight"
}

variable "template" {
  description = "The path of ecr-preflight.cfn.yaml."
  type        = string
}

variable "zip" {
  description = "The path of ecr-preflight-lambda-arm64.zip, or of ecr-preflight-lambda-x86_64.zip if the parameter FunctionArchitecture is x86_64."
  type        = string
}

variable "consumers_zip" {
  description = "The path of ecr-preflight-consumers-arm64.zip, or of ecr-preflight-consumers-x86_64.zip. It is needed if one of the parameters Consumers, Hook and EcsHook is not off."
  type        = string
  default     = null
}

variable "bucket" {
  description = "An existing bucket in the region of the stack, for the zips."
  type        = string
}

variable "parameters" {
  description = "The parameters of the template, for example EmailAddress."
  type        = map(string)
  default     = {}
}

resource "aws_s3_object" "function" {
  bucket = var.bucket
  # A stack notices new code only by a new key.
  key    = "ecr-preflight/${filesha256(var.zip)}.zip"
  source = var.zip

  lifecycle {
    # A failed update goes back to the old zip.
    create_before_destroy = true
  }
}

resource "aws_s3_object" "consumers" {
  count  = var.consumers_zip == null ? 0 : 1
  bucket = var.bucket
  key    = "ecr-preflight/${filesha256(var.consumers_zip)}.zip"
  source = var.consumers_zip

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudformation_stack" "this" {
  name          = var.name
  template_body = file(var.template)
  capabilities  = ["CAPABILITY_IAM"]
  parameters = merge(var.parameters, {
    CodeBucket = aws_s3_object.function.bucket
    CodeKey    = aws_s3_object.function.key
  }, { for object in aws_s3_object.consumers : "ConsumersCodeKey" => object.key })
}

output "outputs" {
  description = "The outputs of the stack, for example FunctionName and TopicArn."
  value       = aws_cloudformation_stack.this.outputs
}
