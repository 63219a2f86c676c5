// Validates objects by the schemas of their CustomResourceDefinitions, as the API server does: structure, unknown fields, CEL.
// The definitions are those that the modules of Istio's API, network-policy-api and gateway-api publish.
// In: a JSON list of objects on standard input. Out: a JSON list of lists of problems, one for each object, in their order.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// Files and folders of definitions, with colons between them: set when this is built.
var sources string

func definitions() []v1.CustomResourceDefinition {
	var found []v1.CustomResourceDefinition
	for _, source := range strings.Split(sources, ":") {
		err := filepath.WalkDir(source, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".yaml") {
				return err
			}
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			defer file.Close()
			decoder := yaml.NewYAMLOrJSONDecoder(file, 4096)
			for {
				var one v1.CustomResourceDefinition
				if err := decoder.Decode(&one); err == io.EOF {
					return nil
				} else if err != nil {
					return err
				}
				if one.Kind == "CustomResourceDefinition" {
					found = append(found, one)
				}
			}
		})
		if err != nil {
			log.Fatal(err, "; run npm run lab:setup again")
		}
	}
	return found
}

func check(definitions []v1.CustomResourceDefinition, object map[string]any) []string {
	for _, d := range definitions {
		for _, version := range d.Spec.Versions {
			if d.Spec.Names.Kind != object["kind"] || d.Spec.Group+"/"+version.Name != object["apiVersion"] {
				continue
			}
			props := &apiextensions.JSONSchemaProps{}
			if err := v1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, props, nil); err != nil {
				log.Fatal(err)
			}
			schema, err := structural.NewStructural(props)
			if err != nil {
				log.Fatal(err)
			}
			problems := []string{}
			if unknown := pruning.PruneWithOptions(object, schema, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}); len(unknown) > 0 {
				problems = append(problems, fmt.Sprintf("unknown fields: %v", unknown))
			}
			validator, _, err := validation.NewSchemaValidator(props)
			if err != nil {
				log.Fatal(err)
			}
			for _, e := range validation.ValidateCustomResource(nil, object, validator) {
				problems = append(problems, e.Error())
			}
			rules := cel.NewValidator(schema, true, celconfig.PerCallLimit)
			errs, _ := rules.Validate(context.Background(), nil, schema, object, nil, celconfig.RuntimeCELCostBudget)
			for _, e := range errs {
				problems = append(problems, e.Error())
			}
			return problems
		}
	}
	return []string{fmt.Sprintf("no schema for %v %v", object["apiVersion"], object["kind"])}
}

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	// As the API server reads JSON: a number without a point is an integer.
	var objects []any
	if err := utiljson.Unmarshal(data, &objects); err != nil {
		log.Fatal(err)
	}
	known := definitions()
	out := make([][]string, len(objects))
	for i, object := range objects {
		out[i] = check(known, object.(map[string]any))
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}
