{{/* Combinations that cannot work and upgrades that destroy something. Each message says what to do. */}}

{{- define "konstruct.guardPlace" -}}
{{- if hasPrefix "kt-" .Release.Namespace }}
{{- fail (printf "the namespace %s has the prefix of tenants' namespaces: install into another one, such as konstruct-system" .Release.Namespace) }}
{{- end }}
{{- if not .Values.image.repository }}
{{- fail "image.repository is empty: name the image that your cluster can pull, built with the Dockerfile of the repository" }}
{{- end }}
{{- if and (include "konstruct.connected" .) (not (.Capabilities.APIVersions.Has "konstruct.dev/v1alpha1")) }}
{{- fail "this cluster does not know Tenants and Agents: install charts/konstruct-crds first" }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled (not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) }}
{{- fail "serviceMonitor.enabled needs the Prometheus Operator, whose API monitoring.coreos.com/v1 this cluster does not have: install it, or say serviceMonitor.enabled=false (helm template: --api-versions monitoring.coreos.com/v1)" }}
{{- end }}
{{- end -}}

{{- define "konstruct.guardNamespaces" -}}
{{- if .Values.rbac.namespaced }}
{{- if not .Values.watchNamespaces }}
{{- fail "rbac.namespaced needs watchNamespaces, the tenants' namespaces that you make and in which the operator gets its rights, such as [kt-acme]" }}
{{- end }}
{{- if include "konstruct.connected" . }}
{{- range .Values.watchNamespaces }}
{{- if not (lookup "v1" "Namespace" "" .) }}
{{- fail (printf "the namespace %s of watchNamespaces does not exist, and with rbac.namespaced nobody else makes it: kubectl create namespace %s" . .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "konstruct.guardPostgres" -}}
{{- $postgres := .Values.postgres }}
{{- with $postgres.external }}
{{- if eq $postgres.mode "external" }}
{{- if not (and .host .allow) }}
{{- fail "postgres.mode=external needs postgres.external.host and postgres.external.allow, what tenants' network policies let through: namespace/label=value:port or cidr:port" }}
{{- end }}
{{- if not (or $postgres.existingSecret .adminSecret) }}
{{- fail "postgres.mode=external needs postgres.external.adminSecret, a Secret with the URL of an administrator in admin-url, or postgres.existingSecret with all logins" }}
{{- end }}
{{- if and $postgres.existingSecret .adminSecret }}
{{- fail "postgres.external.adminSecret goes with generated passwords: put admin-url into postgres.existingSecret, or leave that empty" }}
{{- end }}
{{- else if or .host .allow .parameters .adminSecret }}
{{- fail (printf "postgres.external is given and postgres.mode is %s: say postgres.mode=external, or leave postgres.external empty" $postgres.mode) }}
{{- end }}
{{- end }}
{{- if and (eq $postgres.mode "dev") (not $postgres.dev.image.repository) }}
{{- fail "postgres.mode=dev needs postgres.dev.image.repository: name an image of PostgreSQL 15 or newer that your cluster can pull" }}
{{- end }}
{{- if eq $postgres.mode "cnpg" }}
{{- if not (.Capabilities.APIVersions.Has "postgresql.cnpg.io/v1") }}
{{- fail "postgres.mode=cnpg needs the CloudNativePG operator, whose API postgresql.cnpg.io/v1 this cluster does not have: install it first, or choose postgres.mode=external (helm template: --api-versions postgresql.cnpg.io/v1)" }}
{{- end }}
{{- if and $postgres.existingSecret (not $postgres.cnpg.adminSecret) }}
{{- fail "postgres.mode=cnpg with postgres.existingSecret needs postgres.cnpg.adminSecret, a kubernetes.io/basic-auth Secret with the user konstruct_admin and the same password as admin-password" }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "konstruct.guardRedis" -}}
{{- with .Values.redis }}
{{- if eq .mode "external" }}
{{- if not (and .external.address .external.allow .existingSecret) }}
{{- fail "redis.mode=external needs redis.external.address, redis.external.allow (namespace/label=value:port or cidr:port) and redis.existingSecret, a Secret with operator-url, gateway-url and ai-gateway-url" }}
{{- end }}
{{- else }}
{{- if or .external.address .external.allow }}
{{- fail "redis.external is given and redis.mode is dev: say redis.mode=external, or leave redis.external empty" }}
{{- end }}
{{- if not .dev.image.repository }}
{{- fail "redis.mode=dev needs redis.dev.image.repository: name an image of Redis 7 or Valkey that your cluster can pull" }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "konstruct.guardScale" -}}
{{- range $name, $values := dict "gateway" .Values.gateway "aiGateway" .Values.aiGateway }}
{{- with $values.autoscaling }}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) }}
{{- fail (printf "%s.autoscaling.minReplicas is greater than maxReplicas: lower one or raise the other" $name) }}
{{- end }}
{{- if and .enabled (not (dig "requests" "cpu" "" $values.resources)) }}
{{- fail (printf "%s.autoscaling counts a share of %s.resources.requests.cpu: set that" $name $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.gateway.ingress.enabled (not .Values.gateway.ingress.host) }}
{{- fail "gateway.ingress.enabled needs gateway.ingress.host: the name that channels reach the gateway by" }}
{{- end }}
{{- end -}}

{{/* What the release was before tells the ConfigMap of the operator. */}}
{{- define "konstruct.guardUpgrade" -}}
{{- if and .Release.IsUpgrade (include "konstruct.connected" .) }}
{{- $settings := printf "%s-operator" (include "konstruct.fullname" .) }}
{{- $before := lookup "v1" "ConfigMap" .Release.Namespace $settings }}
{{- $selector := include "konstruct.selector" (dict "root" . "role" "operator") | fromYaml }}
{{- range (lookup "v1" "ConfigMap" .Release.Namespace "").items }}
{{- $labels := .metadata.labels | default dict }}
{{- if and (ne .metadata.name $settings) (deepEqual $selector (pick $labels "app.kubernetes.io/name" "app.kubernetes.io/instance")) }}
{{- fail (printf "the release's objects are named like %s and would be named like %s, with Secrets and selectors of their own: leave fullnameOverride as it was" .metadata.name $settings) }}
{{- end }}
{{- end }}
{{- $address := dig "data" "KONSTRUCT_TENANT_DATABASE_ADDRESS" "" $before }}
{{- $new := printf "postgres://%s" (include "konstruct.postgresPlace" .) }}
{{- if and $address (ne (regexReplaceAll "[?].*" $address "") (regexReplaceAll "[?].*" $new "")) (not .Values.upgrade.allowDatabaseChange) }}
{{- fail (printf "the release uses the database %s and would change to %s, where nothing of what happened is: move the data first and say upgrade.allowDatabaseChange=true" $address $new) }}
{{- end }}
{{- if and $before (not .Values.keys.existingSecret) (not .Values.upgrade.allowNewKeys) }}
{{- $keys := include "konstruct.keysSecret" . }}
{{- if not (lookup "v1" "Secret" .Release.Namespace $keys) }}
{{- fail (printf "the Secret %s with the keys is gone, and new keys would change the public addresses of all connections: restore it, name one in keys.existingSecret, or say upgrade.allowNewKeys=true" $keys) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
