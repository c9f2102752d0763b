package clients

import (
	"testing"
	"time"
)

type polarMember struct {
	ID         string     `json:"id"`
	CreatedAt  time.Time  `json:"created_at"`
	ModifiedAt *time.Time `json:"modified_at"`
	CustomerID string     `json:"customer_id"`
	Email      string     `json:"email"`
	Name       *string    `json:"name"`
	ExternalID *string    `json:"external_id"`
	Role       string     `json:"role"`
}

func createTeam(t *testing.T) string {
	t.Helper()
	body := map[string]any{"type": "team", "name": "A team", "email": unique("team") + "@example.com"}
	received := request{"POST", "/v1/customers/", fullToken, "", body}.send(t).expect(t, 201)
	return decode[struct{ ID string }](t, received).ID
}

// The documented "create member" example sends the default role.
func TestCreateMember(t *testing.T) {
	customer, email := createTeam(t), unique("member")+"@example.com"
	received := request{"POST", "/v1/members/", fullToken, "", map[string]any{
		"customer_id": customer, "email": email, "name": "Jane Doe", "external_id": "usr_1337", "role": "member",
	}}.send(t).expect(t, 201)
	if names := fields(t, received); len(names) < 8 {
		t.Fatalf("expected at least eight fields, got %s", received.body)
	}
	member := decode[polarMember](t, received)
	if !uuidPattern.MatchString(member.ID) || member.CustomerID != customer || member.Email != email ||
		member.Role != "member" || *member.Name != "Jane Doe" || *member.ExternalID != "usr_1337" ||
		member.CreatedAt.IsZero() || member.ModifiedAt != nil {
		t.Fatalf("got %s", received.body)
	}
	got := decode[polarMember](t, request{"GET", "/v1/members/" + member.ID, fullToken, "", nil}.send(t).expect(t, 200))
	if got.Email != email {
		t.Fatalf("got %+v", got)
	}
}

// A collection answers with and without the trailing slash. A redirect would lose the body of a POST.
func TestCreateMemberWithoutTrailingSlash(t *testing.T) {
	body := map[string]any{"customer_id": createTeam(t), "email": unique("member") + "@example.com"}
	request{"POST", "/v1/members", fullToken, "", body}.send(t).expect(t, 201)
}

// The documented "update organization" example sets no field. Older clients then send the defaults of two
// retired fields, newer ones an empty object.
func TestUpdateOrganizationWithoutFields(t *testing.T) {
	for _, body := range []string{`{}`, `{"pledge_badge_show_amount":false,"pledge_minimum_amount":2000}`} {
		received := request{"PATCH", "/v1/organizations/" + organization, fullToken, "", body}.send(t).expect(t, 200)
		names := fields(t, received)
		for _, name := range []string{"created_at", "modified_at", "id", "name", "slug", "avatar_url", "email", "website",
			"socials", "details_submitted_at", "feature_settings", "subscription_settings", "bio", "company", "blog",
			"location", "twitter_username", "pledge_minimum_amount", "pledge_badge_show_amount",
			"default_upfront_split_to_contributors", "profile_settings"} {
			if _, isPresent := names[name]; !isPresent {
				t.Errorf("%s is missing", name)
			}
		}
		if string(names["id"]) != `"`+organization+`"` {
			t.Fatalf("got %s", received.body)
		}
	}
}

func TestAnotherOrganizationsMemberIsNotFound(t *testing.T) {
	body := map[string]any{"customer_id": createTeam(t), "email": unique("member") + "@example.com"}
	received := request{"POST", "/v1/members/", otherToken, "", body}.send(t).expect(t, 404)
	if got := decode[map[string]string](t, received); got["error"] != "ResourceNotFound" {
		t.Fatalf("got %s", received.body)
	}
}

func TestAMissingMemberScopeIsForbidden(t *testing.T) {
	body := map[string]any{"customer_id": createTeam(t), "email": unique("member") + "@example.com"}
	request{"POST", "/v1/members/", readOnlyToken, "", body}.send(t).expect(t, 403)
}

func TestAnInvalidPolarTokenIsUnauthorized(t *testing.T) {
	for _, token := range []string{"", "nope", "polar_oat_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"} {
		request{"GET", "/v1/members/", token, "", nil}.send(t).expect(t, 401)
	}
}
