package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const unknownID = "00000000-0000-4000-8000-000000000000"

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// addMember is the body of "add account member"; an unset name is left out.
type addMember struct {
	Email string  `json:"email"`
	Name  *string `json:"name,omitempty"`
	Role  string  `json:"role"`
}

type accountMember struct {
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	UserID    string    `json:"user_id"`
	AccountID string    `json:"account_id"`
	Role      string    `json:"role"`
}

type account struct {
	ID              string    `json:"id"`
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
	ParentAccountID *string   `json:"parent_account_id"`
	Name            string    `json:"name"`
	Website         string    `json:"website"`
	About           string    `json:"about"`
	TrackOpens      bool      `json:"track_opens"`
	OwnerID         string    `json:"owner_id"`
}

var serial atomic.Int64

func unique(word string) string {
	return fmt.Sprintf("%s-%d", word, serial.Add(1))
}

func someone() addMember {
	name := "Jordan Lee"
	return addMember{Email: unique("teammate") + "@example.com", Name: &name, Role: "Developer"}
}

func accountPath(parts ...string) string {
	return "/v2/accounts/" + strings.Join(append([]string{organization}, parts...), "/")
}

func add(t *testing.T, key string, body any) answer {
	t.Helper()
	return request{"POST", accountPath("members"), allScopes, key, body}.send(t)
}

func getAccount(t *testing.T) account {
	t.Helper()
	return decode[account](t, request{"GET", accountPath(), allScopes, "", nil}.send(t).expect(t, 200))
}

func listMembers(t *testing.T) []accountMember {
	t.Helper()
	list := decode[struct {
		Object string          `json:"object"`
		Data   []accountMember `json:"data"`
	}](t, request{"GET", accountPath("members"), allScopes, "", nil}.send(t).expect(t, 200))
	if list.Object != "list" {
		t.Fatalf("expected a list, got %q", list.Object)
	}
	return list.Data
}

func timesListed(t *testing.T, userID string) int {
	t.Helper()
	count := 0
	for _, member := range listMembers(t) {
		if member.UserID == userID {
			count++
		}
	}
	return count
}

// expectMessage checks the one shape of an AhaSend error.
func expectMessage(t *testing.T, a answer) string {
	t.Helper()
	body := fields(t, a)
	var message string
	if err := json.Unmarshal(body["message"], &message); err != nil || message == "" || len(body) != 1 {
		t.Fatalf("expected a message and nothing else, got %s", a.body)
	}
	return message
}

func expectHeaders(t *testing.T, a answer, replayed string, hasRetryAfter bool) {
	t.Helper()
	values, isThere := a.header["Idempotent-Replayed"]
	if got := a.header.Get("Idempotent-Replayed"); got != replayed || len(values) > 1 || (replayed == "") == isThere {
		t.Fatalf("expected Idempotent-Replayed %q, got %q", replayed, values)
	}
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	if isPositive := err == nil && seconds > 0; isPositive != hasRetryAfter {
		t.Fatalf("Retry-After is %q", a.header.Get("Retry-After"))
	}
}

func TestPing(t *testing.T) {
	for _, token := range []string{allScopes, readOnly} {
		body := decode[map[string]string](t, request{"GET", "/v2/ping", token, "", nil}.send(t).expect(t, 200))
		if len(body) != 1 || body["message"] != "pong" {
			t.Fatalf("got %v", body)
		}
	}
}

func TestAddAccountMember(t *testing.T) {
	sent := add(t, "", someone()).expect(t, 201)
	if names := fields(t, sent); len(names) != 5 {
		t.Fatalf("expected five fields, got %s", sent.body)
	}
	member := decode[accountMember](t, sent)
	if member.AccountID != organization || member.Role != "Developer" || !uuidPattern.MatchString(member.UserID) {
		t.Fatalf("got %+v", member)
	}
	if member.CreatedAt.IsZero() || member.UpdatedAt.Before(member.CreatedAt) {
		t.Fatalf("got %+v", member)
	}
	if timesListed(t, member.UserID) != 1 {
		t.Fatal("the new member is not listed once")
	}
}

func TestEveryRoleCanBeGiven(t *testing.T) {
	for _, role := range []string{"Administrator", "Developer", "Analyst", "Billing Manager"} {
		member := someone()
		member.Role, member.Name = role, nil
		if got := decode[accountMember](t, add(t, "", member).expect(t, 201)); got.Role != role {
			t.Fatalf("asked for %s, got %s", role, got.Role)
		}
	}
}

func TestSameKeyAndBodyIsAnsweredAgain(t *testing.T) {
	key, member := unique("add-member"), someone()
	first := add(t, key, member).expect(t, 201)
	expectHeaders(t, first, "", false)
	second := add(t, key, member).expect(t, 201)
	expectHeaders(t, second, "true", false)
	if !bytes.Equal(first.body, second.body) {
		t.Fatalf("first %s, then %s", first.body, second.body)
	}
	if first.header.Get("Content-Type") != second.header.Get("Content-Type") {
		t.Fatal("the replay has another media type")
	}
	if timesListed(t, decode[accountMember](t, first).UserID) != 1 {
		t.Fatal("one key had more than one effect")
	}
}

func TestSameKeyWithAnotherBodyIsRefused(t *testing.T) {
	key, member := unique("add-member"), someone()
	added := decode[accountMember](t, add(t, key, member).expect(t, 201))
	other := member
	other.Role = "Analyst"
	refused := add(t, key, other).expect(t, 422)
	expectHeaders(t, refused, "", false)
	expectMessage(t, refused)
	expectHeaders(t, add(t, key, member).expect(t, 201), "true", false)
	if timesListed(t, added.UserID) != 1 {
		t.Fatal("the refused request had an effect")
	}
}

func TestAnotherSpellingOfTheSameBodyIsAnotherBody(t *testing.T) {
	key, email := unique("add-member"), unique("spelling")+"@example.com"
	add(t, key, fmt.Sprintf(`{"email":%q,"role":"Analyst"}`, email)).expect(t, 201)
	add(t, key, fmt.Sprintf(`{"role":"Analyst","email":%q}`, email)).expect(t, 422)
}

func TestDuplicateMemberIsAConflict(t *testing.T) {
	member := someone()
	add(t, unique("first"), member).expect(t, 201)
	key := unique("second")
	conflict := add(t, key, member).expect(t, 409)
	expectHeaders(t, conflict, "", false)
	expectMessage(t, conflict)
	again := add(t, key, member).expect(t, 409)
	expectHeaders(t, again, "true", false)
	if !bytes.Equal(conflict.body, again.body) {
		t.Fatalf("first %s, then %s", conflict.body, again.body)
	}
	member.Email = strings.ToUpper(member.Email)
	expectHeaders(t, add(t, "", member).expect(t, 409), "", false)
}

func TestBadMemberIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"unknown role":    `{"email":"x@example.com","role":"Owner"}`,
		"lower-case role": `{"email":"x@example.com","role":"developer"}`,
		"bad email":       `{"email":"nope","role":"Developer"}`,
		"no email":        `{"role":"Developer"}`,
		"no role":         `{"email":"x@example.com"}`,
		"no object":       `[]`,
		"no JSON":         `{"email"`,
		"empty":           ``,
	} {
		t.Run(name, func(t *testing.T) {
			expectMessage(t, add(t, "", body).expect(t, 400))
		})
	}
}

func TestARefusedBodyIsAnsweredAgain(t *testing.T) {
	key := unique("bad")
	first := add(t, key, `{"email":"nope","role":"Developer"}`).expect(t, 400)
	expectHeaders(t, first, "", false)
	second := add(t, key, `{"email":"nope","role":"Developer"}`).expect(t, 400)
	expectHeaders(t, second, "true", false)
	if !bytes.Equal(first.body, second.body) {
		t.Fatalf("first %s, then %s", first.body, second.body)
	}
}

func TestListAccountMembers(t *testing.T) {
	list := request{"GET", accountPath("members"), allScopes, "", nil}.send(t).expect(t, 200)
	if names := fields(t, list); len(names) != 2 {
		t.Fatalf("expected object and data alone, got %s", list.body)
	}
	owner := getAccount(t).OwnerID
	for _, member := range listMembers(t) {
		if member.UserID == owner {
			if member.Role != "Administrator" {
				t.Fatalf("the owner is listed as %s", member.Role)
			}
			return
		}
	}
	t.Fatal("the owner is not listed")
}

func TestRemoveAccountMember(t *testing.T) {
	member := decode[accountMember](t, add(t, "", someone()).expect(t, 201))
	remove := request{"DELETE", accountPath("members", member.UserID), allScopes, "", nil}
	expectMessage(t, remove.send(t).expect(t, 200))
	if timesListed(t, member.UserID) != 0 {
		t.Fatal("the removed member is still listed")
	}
	expectMessage(t, remove.send(t).expect(t, 404))
}

func TestTheOwnerCannotBeRemoved(t *testing.T) {
	owner := getAccount(t).OwnerID
	expectMessage(t, request{"DELETE", accountPath("members", owner), allScopes, "", nil}.send(t).expect(t, 403))
	if timesListed(t, owner) != 1 {
		t.Fatal("the owner is gone")
	}
}

func TestGetAccount(t *testing.T) {
	sent := request{"GET", accountPath(), allScopes, "", nil}.send(t).expect(t, 200)
	names := fields(t, sent)
	for _, name := range []string{"object", "id", "parent_account_id", "created_at", "updated_at", "name", "website",
		"about", "track_opens", "track_clicks", "reject_bad_recipients", "reject_mistyped_recipients",
		"message_metadata_retention", "message_data_retention", "owner_id"} {
		if _, isThere := names[name]; !isThere {
			t.Errorf("%s is missing", name)
		}
	}
	got := decode[account](t, sent)
	if string(names["object"]) != `"account"` || got.ID != organization || got.ParentAccountID != nil ||
		!uuidPattern.MatchString(got.OwnerID) {
		t.Fatalf("got %s", sent.body)
	}
}

func TestUpdateAccount(t *testing.T) {
	before := getAccount(t)
	update := request{"PUT", accountPath(), allScopes, "",
		map[string]any{"name": "Renamed by PUT", "website": "https://example.com", "track_opens": !before.TrackOpens}}
	after := decode[account](t, update.send(t).expect(t, 200))
	if after.Name != "Renamed by PUT" || after.TrackOpens == before.TrackOpens || after.About != before.About {
		t.Fatalf("got %+v", after)
	}
	if got := getAccount(t); got != after {
		t.Fatalf("answered %+v, then showed %+v", after, got)
	}
	shown := decode[map[string]any](t,
		request{"GET", "/v1/organizations/" + organization, allScopes, "", nil}.send(t).expect(t, 200))
	if shown["name"] != "Renamed by PUT" {
		t.Fatalf("the organization is still called %v", shown["name"])
	}
	decode[account](t, request{"PUT", accountPath(), allScopes, "", map[string]any{"name": before.Name}}.send(t).expect(t, 200))
}

func TestBadAccountUpdateIsRefused(t *testing.T) {
	for _, body := range []string{`{"message_data_retention":31}`, `{"message_metadata_retention":0}`,
		`{"website":"not a url"}`, `{"track_opens":"yes"}`, `{"name":"` + strings.Repeat("n", 256) + `"}`} {
		expectMessage(t, request{"PUT", accountPath(), allScopes, "", body}.send(t).expect(t, 400))
	}
}

func TestWithoutARightfulKey(t *testing.T) {
	body := someone()
	for name, token := range map[string]string{
		"no key": "", "unknown key": "aha-sk-" + strings.Repeat("x", 64), "short key": "test-api-key", "another account's": foreign,
	} {
		t.Run(name, func(t *testing.T) {
			for _, call := range []request{
				{"GET", accountPath(), token, "", nil},
				{"GET", accountPath("members"), token, "", nil},
				{"POST", accountPath("members"), token, unique("key"), body},
			} {
				refused := call.send(t).expect(t, 401)
				expectMessage(t, refused)
				expectHeaders(t, refused, "", false)
				if token == "" && !strings.HasPrefix(refused.header.Get("WWW-Authenticate"), "Bearer") {
					t.Fatalf("WWW-Authenticate is %q", refused.header.Get("WWW-Authenticate"))
				}
			}
		})
	}
}

func TestAMissingScopeIsForbidden(t *testing.T) {
	request{"GET", accountPath("members"), readOnly, "", nil}.send(t).expect(t, 200)
	for _, call := range []request{
		{"PUT", accountPath(), readOnly, "", map[string]any{"name": "Refused"}},
		{"POST", accountPath("members"), readOnly, unique("key"), someone()},
		{"DELETE", accountPath("members", unknownID), readOnly, "", nil},
	} {
		expectMessage(t, call.send(t).expect(t, 403))
	}
}

func TestIdsThatAreNone(t *testing.T) {
	expectMessage(t, request{"GET", "/v2/accounts/nope", allScopes, "", nil}.send(t).expect(t, 400))
	expectMessage(t, request{"DELETE", accountPath("members", "nope"), allScopes, "", nil}.send(t).expect(t, 400))
	expectMessage(t, request{"DELETE", accountPath("members", unknownID), allScopes, "", nil}.send(t).expect(t, 404))
}
