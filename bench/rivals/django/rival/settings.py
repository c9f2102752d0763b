"""Settings as for production. The address of the database comes from the environment."""
import os

DEBUG = False
SECRET_KEY = "a secret of the benchmark, which ends with it"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "rival.urls"
WSGI_APPLICATION = "rival.wsgi.application"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "rest_framework",
    "rest_framework.authtoken",
    "rival",
]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": os.environ["RIVAL_PORT"],
        "NAME": os.environ["RIVAL_DATABASE"],
        "USER": os.environ["RIVAL_USER"],
        "OPTIONS": {"pool": {"min_size": 4, "max_size": 8}},
    }
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
}
