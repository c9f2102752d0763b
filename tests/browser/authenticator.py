"""An authenticator that the developer tools of Chromium make: it holds passkeys and never asks anybody."""

OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Authenticator:
    def __init__(self, tools, identifier):
        self._tools = tools
        self.id = identifier

    def passkeys(self):
        """Returns the passkeys that it holds."""
        return self._tools.send("WebAuthn.getCredentials", {"authenticatorId": self.id})["credentials"]

    def put(self, passkey):
        """Gives it a passkey of another one."""
        self._tools.send("WebAuthn.addCredential", {"authenticatorId": self.id, "credential": passkey})

    def verify(self, verifies):
        """Sets whether it recognizes its person."""
        self._tools.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": verifies})


def add_authenticator(page):
    """Gives the browser of a page an authenticator."""
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    made = tools.send("WebAuthn.addVirtualAuthenticator", {"options": OPTIONS})
    return Authenticator(tools, made["authenticatorId"])
