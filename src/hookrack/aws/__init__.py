"""hookrack on AWS as something to deploy: the packages of the Lambda functions."""
