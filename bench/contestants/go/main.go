// The usual function in Go, with nothing but the standard library: look the services up by their
// tag, force a deployment of each.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

const (
	tagging = "RESOURCE_GROUPS_TAGGING_API"
	ecs     = "ECS"
)

type event struct {
	Records []struct{ Body string }
}

type change struct {
	Detail struct{ Name string }
}

type tagFilter struct {
	Key    string
	Values []string
}

type getResources struct {
	PaginationToken     string
	ResourcesPerPage    int
	ResourceTypeFilters []string
	TagFilters          []tagFilter
}

type resources struct {
	PaginationToken        string
	ResourceTagMappingList []struct{ ResourceARN string }
}

type updateService struct {
	Cluster string `json:"cluster"`
	Service string `json:"service"`
	Force   bool   `json:"forceNewDeployment"`
}

// handle answers one invocation.
func handle(payload []byte) error {
	var received event
	if err := json.Unmarshal(payload, &received); err != nil {
		return err
	}
	for _, record := range received.Records {
		var changed change
		if err := json.Unmarshal([]byte(record.Body), &changed); err != nil {
			return err
		}
		if err := restart("ssm:" + changed.Detail.Name); err != nil {
			return err
		}
	}
	return nil
}

// restart forces a deployment of every service that watches the term.
func restart(term string) error {
	request := getResources{
		ResourcesPerPage:    100,
		ResourceTypeFilters: []string{"ecs:service"},
		TagFilters:          []tagFilter{{"reloader:watch", []string{term}}},
	}
	for {
		var page resources
		if err := call(tagging, "ResourceGroupsTaggingAPI_20170126.GetResources", request, &page); err != nil {
			return err
		}
		for _, resource := range page.ResourceTagMappingList {
			parts := strings.Split(resource.ResourceARN, "/")
			update := updateService{parts[1], parts[2], true}
			if err := call(ecs, "AmazonEC2ContainerServiceV20141113.UpdateService", update, &struct{}{}); err != nil {
				return err
			}
		}
		if page.PaginationToken == "" {
			return nil
		}
		request.PaginationToken = page.PaginationToken
	}
}

// call makes one call of an API that speaks AWS JSON 1.1.
func call(service, target string, input, output any) error {
	body, err := json.Marshal(input)
	if err != nil {
		return err
	}
	request, err := http.NewRequest("POST", os.Getenv("AWS_ENDPOINT_URL_"+service)+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", target)
	sign(request, service, body)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != 200 {
		return fmt.Errorf("%s: %s: %s", target, response.Status, answer)
	}
	return json.Unmarshal(answer, output)
}

// main is the loop of Lambda's Runtime API.
func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		next, err := http.Get(api + "next")
		if err != nil {
			log.Fatal(err)
		}
		payload, err := io.ReadAll(next.Body)
		next.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		end, answer := "/response", []byte("null")
		if err := handle(payload); err != nil {
			end = "/error"
			answer, _ = json.Marshal(map[string]string{"errorType": "error", "errorMessage": err.Error()})
		}
		id := next.Header.Get("Lambda-Runtime-Aws-Request-Id")
		response, err := http.Post(api+id+end, "application/json", bytes.NewReader(answer))
		if err != nil {
			log.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
}
