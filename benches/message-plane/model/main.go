// model stands in for the ai-gateway: every call is answered at once with the same short text.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
)

const answer = `{"model":"stub","choices":[{"message":{"content":"I have looked: the order left the warehouse this morning."}}],` +
	`"usage":{"prompt_tokens":100,"completion_tokens":12},"konstruct":{"provider":"stub"}}`

func main() {
	http.HandleFunc("/v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
