package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"strings"
	"time"
)

// sign adds the signature of AWS (Signature Version 4).
func sign(request *http.Request, service string, body []byte) {
	names := map[string]string{tagging: "tagging", ecs: "ecs"}
	now := time.Now().UTC()
	stamp, day := now.Format("20060102T150405Z"), now.Format("20060102")
	token := os.Getenv("AWS_SESSION_TOKEN")
	request.Header.Set("X-Amz-Date", stamp)
	request.Header.Set("X-Amz-Security-Token", token)

	signed := "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
	canonical := strings.Join([]string{
		"POST", "/", "",
		"content-type:" + request.Header.Get("Content-Type"),
		"host:" + request.URL.Host,
		"x-amz-date:" + stamp,
		"x-amz-security-token:" + token,
		"x-amz-target:" + request.Header.Get("X-Amz-Target"),
		"", signed, digest(body),
	}, "\n")
	scope := strings.Join([]string{day, os.Getenv("AWS_REGION"), names[service], "aws4_request"}, "/")
	text := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, digest([]byte(canonical))}, "\n")

	key := []byte("AWS4" + os.Getenv("AWS_SECRET_ACCESS_KEY"))
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+os.Getenv("AWS_ACCESS_KEY_ID")+"/"+scope+
		", SignedHeaders="+signed+", Signature="+hex.EncodeToString(mac(key, text)))
}

func digest(bytes []byte) string {
	sum := sha256.Sum256(bytes)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}
