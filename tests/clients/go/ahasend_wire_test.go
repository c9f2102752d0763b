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

// memberCreate is the body of "add account member". A nil name is omitted.
type memberCreate struct {
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

var uniqueCount atomic.Int64

// unique returns the word with a number that no other call returns.
func unique(word string) string {
	return fmt.Sprintf("%s-%d", word, uniqueCount.Add(1))
}

// newMember returns a valid member with an e-mail address that is not in use.
func newMember() memberCreate {
	name := "Jordan Lee"
	return memberCreate{Email: unique("teammate") + "@example.com", Name: &name, Role: "Developer"}
}

// accountPath returns the path of the test account, or of a resource below it.
func accountPath(parts ...string) string {
	return "/v2/accounts/" + strings.Join(append([]string{organization}, parts...), "/")
}

// postMember adds a member to the test account; an empty key sends no Idempotency-Key.
func postMember(t *testing.T, key string, body any) answer {
	t.Helper()
	return request{"POST", accountPath("members"), fullToken, key, body}.send(t)
}

func getAccount(t *testing.T) account {
	t.Helper()
	return decode[account](t, request{"GET", accountPath(), fullToken, "", nil}.send(t).expect(t, 200))
}

func listMembers(t *testing.T) []accountMember {
	t.Helper()
	list := decode[struct {
		Object string          `json:"object"`
		Data   []accountMember `json:"data"`
	}](t, request{"GET", accountPath("members"), fullToken, "", nil}.send(t).expect(t, 200))
	if list.Object != "list" {
		t.Fatalf("expected a list, got %q", list.Object)
	}
	return list.Data
}

// timesListed returns how often a user appears among the members of the test account.
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

// expectMessage returns the message of a body that must be `{"message": "..."}`, the shape of AhaSend's errors.
func expectMessage(t *testing.T, a answer) string {
	t.Helper()
	body := fields(t, a)
	var message string
	if err := json.Unmarshal(body["message"], &message); err != nil || message == "" || len(body) != 1 {
		t.Fatalf("expected a message and nothing else, got %s", a.body)
	}
	return message
}

// expectHeaders checks the headers of idempotency. An empty replayed means that Idempotent-Replayed is absent.
func expectHeaders(t *testing.T, a answer, replayed string, hasRetryAfter bool) {
	t.Helper()
	values, isPresent := a.header["Idempotent-Replayed"]
	if got := a.header.Get("Idempotent-Replayed"); got != replayed || len(values) > 1 || (replayed == "") == isPresent {
		t.Fatalf("expected Idempotent-Replayed %q, got %q", replayed, values)
	}
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	if isPositive := err == nil && seconds > 0; isPositive != hasRetryAfter {
		t.Fatalf("Retry-After is %q", a.header.Get("Retry-After"))
	}
}

func TestPing(t *testing.T) {
	for _, token := range []string{fullToken, readOnlyToken} {
		body := decode[map[string]string](t, request{"GET", "/v2/ping", token, "", nil}.send(t).expect(t, 200))
		if len(body) != 1 || body["message"] != "pong" {
			t.Fatalf("got %v", body)
		}
	}
}

func TestAddAccountMember(t *testing.T) {
	received := postMember(t, "", newMember()).expect(t, 201)
	if names := fields(t, received); len(names) != 5 {
		t.Fatalf("expected five fields, got %s", received.body)
	}
	member := decode[accountMember](t, received)
	if member.AccountID != organization || member.Role != "Developer" || !uuidPattern.MatchString(member.UserID) {
		t.Fatalf("got %+v", member)
	}
	if member.CreatedAt.IsZero() || member.UpdatedAt.Before(member.CreatedAt) {
		t.Fatalf("got %+v", member)
	}
	if timesListed(t, member.UserID) != 1 {
		t.Fatal("the new member is not listed exactly once")
	}
}

func TestEveryRoleIsAccepted(t *testing.T) {
	for _, role := range []string{"Administrator", "Developer", "Analyst", "Billing Manager"} {
		member := newMember()
		member.Role, member.Name = role, nil
		if got := decode[accountMember](t, postMember(t, "", member).expect(t, 201)); got.Role != role {
			t.Fatalf("expected the role %s, got %s", role, got.Role)
		}
	}
}

func TestSameKeyAndBodyIsReplayed(t *testing.T) {
	key, member := unique("add-member"), newMember()
	first := postMember(t, key, member).expect(t, 201)
	expectHeaders(t, first, "", false)
	second := postMember(t, key, member).expect(t, 201)
	expectHeaders(t, second, "true", false)
	if !bytes.Equal(first.body, second.body) {
		t.Fatalf("first %s, then %s", first.body, second.body)
	}
	if first.header.Get("Content-Type") != second.header.Get("Content-Type") {
		t.Fatal("the replay has another Content-Type")
	}
	if timesListed(t, decode[accountMember](t, first).UserID) != 1 {
		t.Fatal("the member is not listed exactly once")
	}
}

func TestSameKeyWithAnotherBodyIsRefused(t *testing.T) {
	key, member := unique("add-member"), newMember()
	added := decode[accountMember](t, postMember(t, key, member).expect(t, 201))
	other := member
	other.Role = "Analyst"
	refused := postMember(t, key, other).expect(t, 422)
	expectHeaders(t, refused, "", false)
	expectMessage(t, refused)
	expectHeaders(t, postMember(t, key, member).expect(t, 201), "true", false)
	if timesListed(t, added.UserID) != 1 {
		t.Fatal("the refused request had an effect")
	}
}

func TestBodiesAreComparedByteForByte(t *testing.T) {
	key, email := unique("add-member"), unique("spelling")+"@example.com"
	postMember(t, key, fmt.Sprintf(`{"email":%q,"role":"Analyst"}`, email)).expect(t, 201)
	postMember(t, key, fmt.Sprintf(`{"role":"Analyst","email":%q}`, email)).expect(t, 422)
}

func TestDuplicateMemberIsAConflict(t *testing.T) {
	member := newMember()
	postMember(t, unique("first"), member).expect(t, 201)
	key := unique("second")
	conflict := postMember(t, key, member).expect(t, 409)
	expectHeaders(t, conflict, "", false)
	expectMessage(t, conflict)
	again := postMember(t, key, member).expect(t, 409)
	expectHeaders(t, again, "true", false)
	if !bytes.Equal(conflict.body, again.body) {
		t.Fatalf("first %s, then %s", conflict.body, again.body)
	}
	member.Email = strings.ToUpper(member.Email)
	expectHeaders(t, postMember(t, "", member).expect(t, 409), "", false)
}

func TestBadMemberIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"unknown role":    `{"email":"x@example.com","role":"Owner"}`,
		"lower-case role": `{"email":"x@example.com","role":"developer"}`,
		"bad email":       `{"email":"nope","role":"Developer"}`,
		"no email":        `{"role":"Developer"}`,
		"no role":         `{"email":"x@example.com"}`,
		"not an object":   `[]`,
		"not JSON":        `{"email"`,
		"empty":           ``,
	} {
		body := body
		t.Run(name, func(t *testing.T) {
			expectMessage(t, postMember(t, "", body).expect(t, 400))
		})
	}
}

func TestAValidationErrorLeavesItsKeyFree(t *testing.T) {
	key := unique("bad")
	refused := postMember(t, key, `{"email":"nope","role":"Developer"}`).expect(t, 400)
	expectHeaders(t, refused, "", false)
	member := newMember()
	expectHeaders(t, postMember(t, key, member).expect(t, 201), "", false)
	expectHeaders(t, postMember(t, key, member).expect(t, 201), "true", false)
}

func TestListAccountMembers(t *testing.T) {
	list := request{"GET", accountPath("members"), fullToken, "", nil}.send(t).expect(t, 200)
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
	member := decode[accountMember](t, postMember(t, "", newMember()).expect(t, 201))
	remove := request{"DELETE", accountPath("members", member.UserID), fullToken, "", nil}
	expectMessage(t, remove.send(t).expect(t, 200))
	if timesListed(t, member.UserID) != 0 {
		t.Fatal("the removed member is still listed")
	}
	expectMessage(t, remove.send(t).expect(t, 404))
}

func TestTheOwnerCannotBeRemoved(t *testing.T) {
	owner := getAccount(t).OwnerID
	expectMessage(t, request{"DELETE", accountPath("members", owner), fullToken, "", nil}.send(t).expect(t, 403))
	if timesListed(t, owner) != 1 {
		t.Fatal("the owner was removed")
	}
}

func TestGetAccount(t *testing.T) {
	received := request{"GET", accountPath(), fullToken, "", nil}.send(t).expect(t, 200)
	names := fields(t, received)
	for _, name := range []string{"object", "id", "parent_account_id", "created_at", "updated_at", "name", "website",
		"about", "track_opens", "track_clicks", "reject_bad_recipients", "reject_mistyped_recipients",
		"message_metadata_retention", "message_data_retention", "owner_id"} {
		if _, isPresent := names[name]; !isPresent {
			t.Errorf("%s is missing", name)
		}
	}
	got := decode[account](t, received)
	if string(names["object"]) != `"account"` || got.ID != organization || got.ParentAccountID != nil ||
		!uuidPattern.MatchString(got.OwnerID) {
		t.Fatalf("got %s", received.body)
	}
}

func TestUpdateAccount(t *testing.T) {
	before := getAccount(t)
	update := request{"PUT", accountPath(), fullToken, "",
		map[string]any{"name": "Renamed by PUT", "website": "https://example.com", "track_opens": !before.TrackOpens}}
	after := decode[account](t, update.send(t).expect(t, 200))
	if after.Name != "Renamed by PUT" || after.TrackOpens == before.TrackOpens || after.About != before.About {
		t.Fatalf("got %+v", after)
	}
	if got := getAccount(t); got != after {
		t.Fatalf("answered %+v, then showed %+v", after, got)
	}
	polar := decode[map[string]any](t,
		request{"GET", "/v1/organizations/" + organization, fullToken, "", nil}.send(t).expect(t, 200))
	if polar["name"] != "Renamed by PUT" {
		t.Fatalf("the organization is still called %v", polar["name"])
	}
	decode[account](t, request{"PUT", accountPath(), fullToken, "", map[string]any{"name": before.Name}}.send(t).expect(t, 200))
}

func TestBadAccountUpdateIsRefused(t *testing.T) {
	for _, body := range []string{`{"message_data_retention":31}`, `{"message_metadata_retention":0}`,
		`{"website":"not a url"}`, `{"track_opens":"yes"}`, `{"name":"` + strings.Repeat("n", 256) + `"}`} {
		expectMessage(t, request{"PUT", accountPath(), fullToken, "", body}.send(t).expect(t, 400))
	}
}

func TestAnInvalidKeyIsUnauthorized(t *testing.T) {
	body := newMember()
	for name, token := range map[string]string{
		"no key": "", "unknown key": "aha-sk-" + strings.Repeat("x", 64), "short key": "test-api-key", "another account's": otherToken,
	} {
		token := token
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
	request{"GET", accountPath("members"), readOnlyToken, "", nil}.send(t).expect(t, 200)
	for _, call := range []request{
		{"PUT", accountPath(), readOnlyToken, "", map[string]any{"name": "Refused"}},
		{"POST", accountPath("members"), readOnlyToken, unique("key"), newMember()},
		{"DELETE", accountPath("members", unknownID), readOnlyToken, "", nil},
	} {
		expectMessage(t, call.send(t).expect(t, 403))
	}
}

func TestMalformedAndUnknownIDs(t *testing.T) {
	expectMessage(t, request{"GET", "/v2/accounts/nope", fullToken, "", nil}.send(t).expect(t, 400))
	expectMessage(t, request{"DELETE", accountPath("members", "nope"), fullToken, "", nil}.send(t).expect(t, 400))
	expectMessage(t, request{"DELETE", accountPath("members", unknownID), fullToken, "", nil}.send(t).expect(t, 404))
}
