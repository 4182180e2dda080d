"""The kinds of credentials of a source; each source has one kind."""

from sync.settings import addresses, rules
from sync.settings.options import option, settings_class
from sync.settings.secret import Secret

_IAM = "https://iam.myhuaweicloud.com"


@settings_class
class Token:
    """A token of the cloud that the job did not fetch and does not renew."""

    token: Secret = option(rules.header_secret(), "token for the header X-Auth-Token; the job does not renew it")
    project_id: str | None = option(
        rules.line(), "id of the token's project; ims and glance need it, or iam_endpoint", default=None
    )
    iam_endpoint: str | None = option(
        addresses.endpoint(),
        "address of the identity service; the job then looks up the token's project, roles and service catalog there",
        default=None,
        example=_IAM,
    )


@settings_class
class Password:
    """A user of the cloud's identity service (IAM, Keystone); the job fetches its tokens itself."""

    iam_endpoint: str = option(addresses.endpoint(), "address of the identity service (IAM or Keystone)", example=_IAM)
    username: str = option(rules.line(), "name of the user", example="inventory-reader")
    password: Secret = option(rules.line_secret(), "password of the user")
    domain: str | None = option(
        rules.line(),
        "name of the domain (account) of the user and of the project, unless one of them has a setting of its own",
        default=None,
        example="my-account",
    )
    domain_id: str | None = option(rules.line(), "id of that domain, instead of its name", default=None)
    user_domain: str | None = option(rules.line(), "name of the user's domain", default=None, example="Default")
    user_domain_id: str | None = option(rules.line(), "id of the user's domain, instead of its name", default=None)
    project: str | None = option(
        rules.line(),
        "name of the project that tokens are for; ims and glance need it or project_id. Without both, a token of iec "
        "is for the domain",
        default=None,
        example="cn-north-4",
    )
    project_id: str | None = option(rules.line(), "id of that project, instead of its name", default=None)
    project_domain: str | None = option(rules.line(), "name of the project's domain", default=None)
    project_domain_id: str | None = option(
        rules.line(), "id of the project's domain, instead of its name", default=None
    )


@settings_class
class ApplicationCredential:
    """An application credential of Keystone, which belongs to one project; the job fetches its tokens itself."""

    iam_endpoint: str = option(
        addresses.endpoint(), "address of the identity service (Keystone)", example="https://cloud.example.org/identity"
    )
    application_credential_id: str | None = option(rules.line(), "id of the application credential", default=None)
    application_credential_name: str | None = option(
        rules.line(), "its name, instead of its id; it then needs username and the user's domain", default=None
    )
    application_credential_secret: Secret = option(rules.line_secret(), "secret of the application credential")
    username: str | None = option(rules.line(), "name of the user who made it", default=None)
    domain: str | None = option(rules.line(), "name of that user's domain", default=None, example="my-account")
    domain_id: str | None = option(rules.line(), "id of that domain, instead of its name", default=None)
    user_domain: str | None = option(rules.line(), "name of the user's domain", default=None)
    user_domain_id: str | None = option(rules.line(), "id of the user's domain, instead of its name", default=None)


@settings_class
class Keys:
    """An access key pair; every request is signed."""

    access_key: Secret = option(rules.header_secret(), "access key id (AK)", vendor="HUAWEICLOUD_SDK_AK")
    secret_key: Secret = option(rules.header_secret(), "secret access key (SK)", vendor="HUAWEICLOUD_SDK_SK")
    security_token: Secret | None = option(
        rules.header_secret(), "token of a temporary key pair", default=None, vendor="HUAWEICLOUD_SDK_SECURITY_TOKEN"
    )
    domain_id: str | None = option(
        rules.line(),
        "id of the account; sent to iec, as global services require it",
        default=None,
        vendor="HUAWEICLOUD_SDK_DOMAIN_ID",
    )
    project_id: str | None = option(
        rules.line(),
        "id of the project; ims needs it",
        default=None,
        vendor="HUAWEICLOUD_SDK_PROJECT_ID",
    )


Credentials = Token | Password | ApplicationCredential | Keys
Kind = type[Token] | type[Password] | type[ApplicationCredential] | type[Keys]
KINDS: tuple[Kind, ...] = (Token, Password, ApplicationCredential, Keys)
