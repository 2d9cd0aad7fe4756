"""The emulator's example ids and keys: known to everybody, worth nothing anywhere else."""

from __future__ import annotations

DEFAULT_PORT = 8765

ACCESS_KEY = "EXAMPLEACCESSKEY0001"
SECRET_KEY = "example-secret-key-of-the-emulator-only"  # noqa: S105 - an example, printed in the documentation
SECURITY_TOKEN = "example-security-token-of-the-emulator-only"  # noqa: S105 - for the key as a temporary one
TOKEN = "example-iam-token-of-the-emulator-only"  # noqa: S105 - for X-Auth-Token

IAM_USER = "example_user"
IAM_PASSWORD = "example-password-of-the-emulator-only"  # noqa: S105 - an example, as the keys above
IAM_DOMAIN = "example_domain"
USER_ID = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
DOMAIN_ID = "0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d"

REGION = "example-region-1"
"""The name of the project too, as the cloud names a region's first project."""
PROJECT_ID = "0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e"
INSTANCE_ID = "DE-0e0e0e0e-0e0e-4e0e-8e0e-0e0e0e0e0e0e"
