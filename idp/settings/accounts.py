"""People: user model, password hashing, allauth."""

from . import IDP

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["idp.accounts.allauth.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "idp.accounts.passwords.BoundedArgon2Hasher",
    # Of imported people, until each has signed in once.
    "idp.accounts.hashers.Pbkdf2Sha256",
    "idp.accounts.hashers.Pbkdf2Sha1",
    "idp.accounts.hashers.Scrypt",
    "idp.accounts.hashers.BcryptSha256",
    "idp.accounts.hashers.Bcrypt",
    "idp.accounts.hashers.Pbkdf2",
    "idp.accounts.hashers.ScryptRaw",
    "idp.accounts.hashers.ShaCrypt",
    "idp.accounts.hashers.FirebaseScrypt",
]
AUTH_PASSWORD_VALIDATORS = [{"NAME": "idp.accounts.passwords.PolicyValidator"}]
PASSWORD_RESET_TIMEOUT = 3600
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/account"

ACCOUNT_ADAPTER = "idp.accounts.allauth.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 900
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_LOGIN_ON_PASSWORD_RESET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if IDP.issuer.startswith("https://") else "http"
# Between a right password and the session, in this order.
SIGN_IN_STAGES = [
    "idp.accounts.allauth.VerifyAddressStage",
    "idp.mfa.stage.SecondFactorStage",
    "idp.mfa.stage.EnrolStage",
    "idp.signin.longer_password.LongerPasswordStage",
    "idp.accounts.allauth.TermsStage",
    "idp.mfa.stage.StillHeldStage",
    "idp.signin.passkey_adding.OfferStage",
]

# What lets a person in beside the password: functions of a person that answer how many (the last way in is never taken away), and
# functions that end all of it, or what is newer than `since`, for an account whose address turned out to be somebody else's.
WAYS_IN = ["idp.mfa.factors.ways_in_of", "idp.federation.linking.ways_in_of"]
CREDENTIALS = ["idp.federation.linking.forget_all", "idp.mfa.factors.forget_all"]

SOCIALACCOUNT_ADAPTER = "idp.federation.allauth.SocialAccountAdapter"
SOCIALACCOUNT_STORE_TOKENS = False  # hostile case GL-14
